//! cut_short
