"""A small web shop: a catalogue, a cart, and the same over JSON."""
