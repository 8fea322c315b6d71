"""The cast and the stage of every test; app tests reach up to other floors only through these fixtures."""
