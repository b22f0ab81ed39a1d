//! What became of a conditional write or deletion, as told by the document itself after an answer that proves nothing.
//!
//! A version names one write: no two writes have the same bytes.

/// What became of a conditional write or deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It went through.
    Done,
    /// It has not gone through so far: the same may be sent again, as it was.
    Again,
    /// Another writer was first.
    Lost,
}

/// What became of a write bound to the version `over` (`None`: to there being no document). `found` is the version that
/// was read since (`None`: there is no document); `ours` says that it is this very write.
pub fn fate_of_write<V: PartialEq>(found: Option<&V>, ours: bool, over: Option<&V>) -> Fate {
    match ours {
        true => Fate::Done,
        false if found == over => Fate::Again,
        false => Fate::Lost,
    }
}

/// What became of a deletion bound to the version `over`. `found` is the version that was read since.
pub fn fate_of_delete<V: PartialEq>(found: Option<&V>, over: &V) -> Fate {
    match found {
        None => Fate::Done,
        Some(version) if version == over => Fate::Again,
        Some(_) => Fate::Lost,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_write_went_through_may_be_repeated_or_was_lost() {
        assert_eq!(fate_of_write(Some(&2), true, Some(&1)), Fate::Done);
        assert_eq!(fate_of_write(Some(&2), true, None), Fate::Done);
        assert_eq!(fate_of_write(Some(&1), false, Some(&1)), Fate::Again);
        assert_eq!(fate_of_write(None::<&u8>, false, None), Fate::Again);
        assert_eq!(fate_of_write(Some(&3), false, Some(&1)), Fate::Lost);
        assert_eq!(fate_of_write(Some(&3), false, None), Fate::Lost);
        assert_eq!(fate_of_write(None, false, Some(&1)), Fate::Lost, "deleted by somebody else");
    }

    #[test]
    fn a_deletion_is_done_when_nothing_is_left() {
        assert_eq!(fate_of_delete(None, &1), Fate::Done);
        assert_eq!(fate_of_delete(Some(&1), &1), Fate::Again);
        assert_eq!(fate_of_delete(Some(&2), &1), Fate::Lost);
    }
}
