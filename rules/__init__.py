"""Rules over readings: the rule catalogue, the engine and the life of a fault."""
