"""The agreement to a purchase for an existing tenant: its approvers and its effects."""
