//! Whole tokens as products issue them: a user's, a client's, and the ID token beside them.
