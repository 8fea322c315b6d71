"""The live stream: events as they are settled, to those who may read them."""
