//! Which bytes a request wants (RFC 9110, section 14): one range of bytes, or everything.

/// What is to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// Everything: no range was asked for, or nothing that is understood as one. (200)
    All,
    /// These bytes. (206)
    Part {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// A range that is not there. (416)
    Outside,
}

/// What `header`, the value of `Range`, wants of `total` bytes. Several ranges, and what is none, are answered with everything.
pub fn wanted(header: Option<&str>, total: u64) -> Wanted {
    let range = header
        .and_then(|header| header.split_once('='))
        .filter(|(unit, _)| unit.trim().eq_ignore_ascii_case("bytes"))
        .and_then(|(_, range)| range.trim().split_once('-'));
    let Some((from, to)) = range else { return Wanted::All };
    let last = total.saturating_sub(1);
    let (from, to) = match (from, to) {
        ("", count) => match number(count) {
            None => return Wanted::All,
            Some(0) => return Wanted::Outside,
            Some(count) => (total.saturating_sub(count), last),
        },
        (from, "") => match number(from) {
            None => return Wanted::All,
            Some(from) => (from, last),
        },
        (from, to) => match (number(from), number(to)) {
            (Some(from), Some(to)) if from <= to => (from, to.min(last)),
            _ => return Wanted::All,
        },
    };
    if from < total { Wanted::Part { from, to } } else { Wanted::Outside }
}

/// Digits and nothing else; what is too large to count is just very large.
fn number(text: &str) -> Option<u64> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part(from: u64, to: u64) -> Wanted {
        Wanted::Part { from, to }
    }

    #[test]
    fn a_single_range_is_what_it_says() {
        for (header, found) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-", part(0, 99)),
            ("bytes=10-19", part(10, 19)),
            ("Bytes = 10-19", part(10, 19)),
            ("bytes=99-", part(99, 99)),
            ("bytes=90-1000", part(90, 99)),
            ("bytes=0-99999999999999999999999", part(0, 99)),
            ("bytes=-1", part(99, 99)),
            ("bytes=-1000", part(0, 99)),
            ("bytes=100-", Wanted::Outside),
            ("bytes=100-200", Wanted::Outside),
            ("bytes=99999999999999999999999-", Wanted::Outside),
            ("bytes=-0", Wanted::Outside),
        ] {
            assert_eq!(wanted(Some(header), 100), found, "{header}");
        }
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Outside);
        assert_eq!(wanted(Some("bytes=-5"), 0), Wanted::Outside);
    }

    #[test]
    fn what_is_no_single_range_is_answered_with_everything() {
        let none =
            ["", "bytes", "bytes=", "bytes=-", "bytes=9-1", "bytes=1-2,4-5", "bytes=0-0,-1", "bytes=+1-2", "bytes=1-x"];
        for header in none.into_iter().chain(["bytes=a-", "bytes=-a", "bytes=1--2", "items=0-5", "bytes 0-5"]) {
            assert_eq!(wanted(Some(header), 100), Wanted::All, "{header}");
        }
        assert_eq!(wanted(None, 100), Wanted::All);
    }

    proptest! {
        #[test]
        fn no_range_leads_outside(header in "(bytes)?=?[0-9]{0,21}-?[0-9]{0,21}[,a-z]?", total: u64) {
            if let Wanted::Part { from, to } = wanted(Some(&header), total) {
                prop_assert!(from <= to && to < total);
            }
        }

        #[test]
        fn a_range_inside_is_exactly_it(from in 0u64..1000, length in 1u64..1000, after in 0u64..1000) {
            let (to, total) = (from + length - 1, from + length + after);
            prop_assert_eq!(wanted(Some(&format!("bytes={from}-{to}")), total), part(from, to));
            prop_assert_eq!(wanted(Some(&format!("bytes={from}-")), total), part(from, total - 1));
            prop_assert_eq!(wanted(Some(&format!("bytes=-{}", total - from)), total), part(from, total - 1));
        }
    }
}
