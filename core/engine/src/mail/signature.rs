//! What a text may hold, in a kilobyte: for every sequence of three bytes, whether it may occur.
//!
//! A search reads a message's text only when all sequences of the needle may occur in it. Of 8,192 classes of sequences a
//! mail of some pages has a third, so that a word of seven letters is met by chance in one of two hundred.

/// Bits of a signature.
pub const SIGNATURE_BITS: usize = 8192;
/// Bytes of a signature that says much.
const SIGNATURE_BYTES: usize = SIGNATURE_BITS / 8;
/// Set bits up to which a signature is stored as their list.
const SPARSE_BITS_MAX: usize = SIGNATURE_BYTES / 2 - 1;

/// Which sequences of three bytes may occur in a text: one bit for each of 8,192 classes of them.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature(Box<[u8; SIGNATURE_BYTES]>);

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({} bits)", self.0.iter().map(|byte| byte.count_ones()).sum::<u32>())
    }
}

impl Signature {
    /// The signature of folded texts.
    pub fn of(texts: &[&str]) -> Signature {
        let mut bits = Box::new([0u8; SIGNATURE_BYTES]);
        for text in texts {
            for class in classes(text) {
                bits[usize::from(class) / 8] |= 1 << (class % 8);
            }
        }
        Signature(bits)
    }

    /// Whether a text of which these are the classes may occur.
    pub fn may_hold(&self, classes: &[u16]) -> bool {
        classes.iter().all(|class| self.0[usize::from(*class) / 8] & (1 << (class % 8)) != 0)
    }

    /// The signature of a text that may hold anything.
    pub fn full() -> Signature {
        Signature(Box::new([0xff; SIGNATURE_BYTES]))
    }

    /// The classes that may occur.
    pub fn classes(&self) -> impl Iterator<Item = u16> {
        (0..SIGNATURE_BITS as u16).filter(|class| self.0[usize::from(*class) / 8] & (1 << (class % 8)) != 0)
    }

    pub fn to_bytes(&self) -> Vec<u8> {
        let set: Vec<u16> = self.classes().collect();
        match set.len() <= SPARSE_BITS_MAX {
            true => set.iter().flat_map(|class| class.to_le_bytes()).collect(),
            false => self.0.to_vec(),
        }
    }

    pub fn from_bytes(bytes: &[u8]) -> Signature {
        let mut bits = Box::new([0u8; SIGNATURE_BYTES]);
        if bytes.len() == SIGNATURE_BYTES {
            bits.copy_from_slice(bytes);
            return Signature(bits);
        }
        for class in bytes.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])) {
            bits[usize::from(class) / 8 % SIGNATURE_BYTES] |= 1 << (class % 8);
        }
        Signature(bits)
    }
}

/// The classes of a text's sequences of three bytes, with repetitions.
fn classes(text: &str) -> impl Iterator<Item = u16> {
    text.as_bytes().windows(3).map(|three| {
        let number = u32::from_le_bytes([three[0], three[1], three[2], 0]);
        // Multiplicative hashing: the upper bits depend on all bytes.
        (number.wrapping_mul(0x9E37_79B1) >> 19) as u16
    })
}

/// The classes of a folded needle; none when it is too short to have any.
pub fn distinct_classes(needle: &str) -> Vec<u16> {
    let mut distinct: Vec<u16> = classes(needle).collect();
    distinct.sort_unstable();
    distinct.dedup();
    distinct
}
