"""The bills: which months are owed, who was active in them, and the records that they are closed with."""
