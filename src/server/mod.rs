//! (opening paragraph)
