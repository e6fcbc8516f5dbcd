"""The checks: responses compared with the database, the Marketplace and Azure DevOps."""
