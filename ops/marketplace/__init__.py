"""The commands `marketplace …`: purchases, here and at Microsoft."""
