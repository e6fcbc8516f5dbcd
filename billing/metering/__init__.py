"""The outbox of the Marketplace's meter: what bills owe it is claimed, sent, settled, and compared with what it has."""
