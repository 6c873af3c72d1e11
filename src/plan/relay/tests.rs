//! Texts as clients write them and as sources get them.
