"""The Azure Marketplace as TimeTracker sees it."""
