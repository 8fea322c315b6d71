"""Pages for a browser: where mailed links land, and how staff sign in. Forms in, one service call, a page out."""
