"""The checks: what people were told, compared with what the database, the Marketplace and Azure DevOps have."""
