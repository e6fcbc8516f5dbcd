"""Work items as Azure DevOps last showed them, and to whom."""
