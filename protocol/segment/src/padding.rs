//! Padmé (Nikitin et al., "Reducing Metadata Leakage from Encrypted Files", 2019): a padded length has at most as many
//! significant bits as its exponent has, so sizes say little (O(log log n) bits) and cost at most 12 %, 3 % from 1 MiB on.

/// The padded length of `length` bytes.
pub(crate) const fn padme(length: u64) -> u64 {
    if length < 2 {
        return length;
    }
    let exponent = length.ilog2();
    let low_bits = exponent.saturating_sub(exponent.ilog2() + 1);
    let mask = (1u64 << low_bits) - 1;
    length.saturating_add(mask) & !mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_lengths() {
        // exponent, significant bits: 9 (1001001) -> 4 bits of 10 stay
        for (length, padded) in [(0, 0), (1, 1), (2, 2), (7, 7), (8, 8), (9, 10), (100, 104), (1000, 1024), (1 << 20, 1 << 20)] {
            assert_eq!(padme(length), padded, "{length}");
        }
        assert_eq!(padme((1 << 20) + 1), (1 << 20) + (1 << 15));
    }

    #[test]
    fn never_shorter_never_more_than_an_eighth_and_stable() {
        let mut length = 1u64;
        while length < 1 << 50 {
            for length in [length, length + 1, length * 2 - 1] {
                let padded = padme(length);
                assert!(padded >= length && (padded - length) * 8 <= length, "{length} -> {padded}");
                assert_eq!(padme(padded), padded);
            }
            length = length * 5 / 3 + 1;
        }
    }
}
