//! Octets that look like chance and are the same for the same seed.

/// One octet in sixteen is another.
pub fn garbled(body: &[u8], chance: u64) -> Vec<u8> {
    let mut state = chance | 1;
    let octets = body.iter().map(|octet| {
        // xorshift64: any numbers do.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let [hit, other, ..] = state.to_le_bytes();
        if hit < 16 { other } else { *octet }
    });
    octets.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_makes_the_same_octets() {
        let body = [b'a'; 1_000];
        assert_eq!(garbled(&body, 5), garbled(&body, 5));
        assert_ne!(garbled(&body, 5), garbled(&body, 7));
        let changed = garbled(&body, 5).iter().filter(|octet| **octet != b'a').count();
        assert!((20..200).contains(&changed), "{changed}");
    }
}
