"""The write-back: adds the hours of entries to Completed Work in Azure DevOps, once."""
