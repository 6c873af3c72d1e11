//! A server that says what a test wants it to say.
