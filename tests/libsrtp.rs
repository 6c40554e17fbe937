//! Our SRTP beside libsrtp, which Chromium, Asterisk and FreeSWITCH have too: both protect the same packets into the same octets, and
//! both open and refuse the same of what comes reordered, late, twice, damaged or cut.

use agent_manager::media::{
    plan::{CryptoSuite, MasterKey, SrtpKeys},
    srtp::SrtpSession,
};
use libloading::{Library, Symbol};
use proptest::{collection::vec, option, prelude::*, sample};
use std::{
    ffi::{c_int, c_uint, c_ulong, c_void},
    ptr,
    sync::LazyLock,
};

#[path = "../src/properties.rs"]
#[allow(dead_code, reason = "others have use for the rest")]
mod properties;

/// `srtp_crypto_policy_t` of libsrtp 2, which fills it itself.
#[repr(C)]
struct Crypto([u32; 6]);

/// `srtp_policy_t`, whose layout all of libsrtp 2 share.
#[repr(C)]
struct Policy {
    ssrc: [c_uint; 2],
    rtp: Crypto,
    rtcp: Crypto,
    key: *const u8,
    keys: *const c_void,
    number_of_keys: c_ulong,
    key_transport: *const c_void,
    window: c_ulong,
    allow_repeat: c_int,
    encrypted_extensions: *const c_int,
    number_of_extensions: c_int,
    next: *const c_void,
}

type Turn = unsafe extern "C" fn(*mut c_void, *mut u8, *mut c_int) -> c_uint;
type Fill = unsafe extern "C" fn(*mut Crypto, c_uint) -> c_uint;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    // SAFETY: loading it runs nothing but the C library's and NSS' constructors.
    let library = unsafe { Library::new("libsrtp2.so.1") }.expect("libsrtp is installed (package libsrtp2-1)");
    // SAFETY: `srtp_err_status_t srtp_init(void)`.
    let status = unsafe { library.get::<unsafe extern "C" fn() -> c_uint>(b"srtp_init").expect("srtp_init")() };
    assert_eq!(status, 0, "srtp_init");
    library
});

/// # Safety
/// `T` is what libsrtp 2 declares for `name`.
unsafe fn symbol<T>(name: &str) -> Symbol<'static, T> {
    // SAFETY: the caller's.
    unsafe { LIBRARY.get(name.as_bytes()) }.unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// One direction in libsrtp.
struct Foreign(*mut c_void);

impl Foreign {
    fn new(master: &MasterKey, is_inbound: bool) -> Self {
        // RFC 5764 §4.1.2, RFC 7714 §14.2.
        let profile = match master.suite() {
            CryptoSuite::AesCm128HmacSha1_80 => 1,
            CryptoSuite::AesCm128HmacSha1_32 => 2,
            CryptoSuite::AeadAes128Gcm => 7,
            CryptoSuite::AeadAes256Gcm => 8,
        };
        let mut policy = Policy {
            // Any source of that direction.
            ssrc: [if is_inbound { 2 } else { 3 }, 0],
            rtp: Crypto([0; 6]),
            rtcp: Crypto([0; 6]),
            key: master.material().as_ptr(),
            keys: ptr::null(),
            number_of_keys: 0,
            key_transport: ptr::null(),
            window: 128,
            allow_repeat: 0,
            encrypted_extensions: ptr::null(),
            number_of_extensions: 0,
            next: ptr::null(),
        };
        for (name, crypto) in [("rtp", &mut policy.rtp), ("rtcp", &mut policy.rtcp)] {
            // SAFETY: both are `srtp_err_status_t (srtp_crypto_policy_t *, srtp_profile_t)`.
            let status = unsafe {
                symbol::<Fill>(&format!("srtp_crypto_policy_set_from_profile_for_{name}"))(
                    ptr::from_mut(crypto),
                    profile,
                )
            };
            assert_eq!(status, 0, "libsrtp knows {:?}", master.suite());
        }
        let mut session = ptr::null_mut();
        // SAFETY: `srtp_err_status_t srtp_create(srtp_t *, const srtp_policy_t *)`, which copies what it is given.
        let status = unsafe {
            symbol::<unsafe extern "C" fn(*mut *mut c_void, *const Policy) -> c_uint>("srtp_create")(
                &mut session,
                &policy,
            )
        };
        assert_eq!(status, 0, "srtp_create");
        Self(session)
    }

    /// What `srtp_protect` or one of its kin makes of a packet.
    fn turn(&mut self, function: &str, packet: &[u8]) -> Option<Vec<u8>> {
        // SRTP_MAX_TRAILER_LEN is 144.
        let (mut out, mut length) = (packet.to_vec(), packet.len() as c_int);
        out.resize(packet.len() + 144, 0);
        // SAFETY: the four have this signature; the session is open, the buffer as long as they may need.
        let status = unsafe { symbol::<Turn>(function)(self.0, out.as_mut_ptr(), &mut length) };
        out.truncate(length as usize);
        (status == 0).then_some(out)
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // SAFETY: `srtp_err_status_t srtp_dealloc(srtp_t)`, once.
        unsafe { symbol::<unsafe extern "C" fn(*mut c_void) -> c_uint>("srtp_dealloc")(self.0) };
    }
}

/// One end, twice: ours and libsrtp's.
struct Both {
    ours: SrtpSession,
    theirs: Foreign,
    control: bool,
}

impl Both {
    fn new(master: &MasterKey, is_inbound: bool, control: bool) -> Self {
        let keys = SrtpKeys { send: master.clone(), receive: master.clone() };
        Self { ours: SrtpSession::new(keys), theirs: Foreign::new(master, is_inbound), control }
    }

    fn protect(&mut self, plain: &[u8]) -> [Option<Vec<u8>>; 2] {
        let mut out = Vec::new();
        let (ours, function) = match self.control {
            true => (self.ours.protect_control(plain, &mut out), "srtp_protect_rtcp"),
            false => (self.ours.protect(plain, &mut out), "srtp_protect"),
        };
        [ours.map(|()| out), self.theirs.turn(function, plain)]
    }

    fn open(&mut self, packet: &[u8]) -> [Option<Vec<u8>>; 2] {
        let mut out = Vec::new();
        let (ours, function) = match self.control {
            true => (self.ours.open_control(packet, &mut out), "srtp_unprotect_rtcp"),
            false => (self.ours.open(packet, &mut out), "srtp_unprotect"),
        };
        [ours.map(|()| out), self.theirs.turn(function, packet)]
    }
}

/// One packet, and what the network does to it.
#[derive(Clone, Debug)]
struct Packet {
    /// Sequence numbers from the one before.
    gap: u16,
    kind: u8,
    timestamp: u32,
    sources: Vec<u32>,
    extension: Option<(u16, Vec<u32>)>,
    payload: Vec<u8>,
    /// So many packets overtake it, and its copy.
    delays: [usize; 2],
    damaged: (sample::Index, u8),
    cut: sample::Index,
}

prop_compose! {
    fn packets()(
        // Together below half of the sequence numbers, where nobody could tell ahead from behind.
        gap in prop_oneof![9 => Just(1u16), 1 => 2u16..250], kind: u8, timestamp: u32,
        sources in prop_oneof![3 => Just(Vec::new()), 1 => vec(any::<u32>(), 1..16)],
        extension in option::weighted(0.3, (any::<u16>(), vec(any::<u32>(), 0..8))),
        payload in vec(any::<u8>(), 0..200),
        delays in (prop_oneof![2 => Just(0usize), 1 => 0usize..140], 0usize..300),
        damaged in (any::<sample::Index>(), 0u8..8), cut: sample::Index,
    ) -> Packet {
        Packet { gap, kind, timestamp, sources, extension, payload, delays: delays.into(), damaged, cut }
    }
}

impl Packet {
    fn rtp(&self, sequence: u16, ssrc: u32) -> Vec<u8> {
        let mut packet = vec![0x80 | self.sources.len() as u8 | u8::from(self.extension.is_some()) << 4, self.kind];
        packet.extend(sequence.to_be_bytes());
        let words = [self.timestamp, ssrc].into_iter().chain(self.sources.iter().copied());
        packet.extend(words.flat_map(u32::to_be_bytes));
        if let Some((profile, words)) = &self.extension {
            packet.extend([*profile, words.len() as u16].into_iter().flat_map(u16::to_be_bytes));
            packet.extend(words.iter().flat_map(|word| word.to_be_bytes()));
        }
        packet.extend(&self.payload);
        packet
    }

    fn rtcp(&self, ssrc: u32) -> Vec<u8> {
        let words = self.payload.len() / 4;
        let mut packet = vec![0x80 | self.kind & 0x1f, 200 + self.kind % 8];
        packet.extend((1 + words as u16).to_be_bytes());
        packet.extend(ssrc.to_be_bytes());
        packet.extend(&self.payload[..4 * words]);
        packet
    }
}

fn refused(answers: &[Option<Vec<u8>>; 2]) -> bool {
    answers.iter().all(Option::is_none)
}

proptest! {
    #![proptest_config(properties::config(400, 3711))]

    #[test]
    fn libsrtp_and_ours_protect_open_and_refuse_the_same(
        suite in sample::select(&CryptoSuite::ALL[..]), material in vec(any::<u8>(), 46), control: bool, ssrc: u32,
        first in prop_oneof![any::<u16>(), 65_400u16..], strides in 0usize..12, packets in vec(packets(), 1..120),
    ) {
        let length = suite.key_length() + suite.salt_length();
        let master = MasterKey::new(suite, material[..length].to_vec()).expect("as long as the suite wants it");
        let (mut sender, mut receiver) = (Both::new(&master, false, control), Both::new(&master, true, control));
        if control {
            // Our first index is 0, libsrtp's is 1.
            let mut out = Vec::new();
            sender.ours.protect_control(&packets[0].rtcp(ssrc), &mut out).expect("a report");
            prop_assert_eq!(receiver.open(&out), [Some(packets[0].rtcp(ssrc)), Some(packets[0].rtcp(ssrc))]);
        }
        // The index of 48 bits, of which the packet carries 16; strides make it long quickly.
        let mut index = u64::from(first);
        let mut sent = Vec::new();
        for (n, packet) in (0..strides).map(|_| &packets[0]).chain(&packets).enumerate() {
            if n > 0 {
                index += if n < strides { 30_000 } else { u64::from(packet.gap) };
            }
            let plain = if control { packet.rtcp(ssrc) } else { packet.rtp(index as u16, ssrc) };
            let [ours, theirs] = sender.protect(&plain);
            prop_assert!(ours.is_some() && ours == theirs, "{plain:02x?} became {ours:02x?} and {theirs:02x?}");
            let whole = ours.unwrap_or_default();
            if n < strides {
                prop_assert_eq!(receiver.open(&whole), [Some(plain.clone()), Some(plain)]);
            } else {
                sent.push((packet, whole, plain, if control { n as u64 } else { index }));
            }
        }

        let arrivals = sent.iter().enumerate().flat_map(|(n, sent)| sent.0.delays.map(|delay| (n + delay, sent)));
        let mut arrivals: Vec<_> = arrivals.collect();
        arrivals.sort_by_key(|(at, _)| *at);
        // What a receiver knows that forgets nothing but what is older than the window.
        let mut highest = (control || strides > 0).then(|| sent[0].3.saturating_sub(1));
        let mut opened = std::collections::HashSet::new();
        for (_, (packet, whole, plain, index)) in arrivals {
            let mut damaged = whole.clone();
            damaged[packet.damaged.0.index(whole.len())] ^= 1 << packet.damaged.1;
            prop_assert!(refused(&receiver.open(&damaged)), "damaged: {damaged:02x?}");
            prop_assert!(refused(&receiver.open(&whole[..packet.cut.index(whole.len())])), "cut: {whole:02x?}");
            // The first of all is taken for one of the first 65,536.
            let is_new = highest.map_or(*index < 65_536, |highest| highest < index + 128) && opened.insert(*index);
            let expected = is_new.then(|| plain.clone());
            prop_assert_eq!(receiver.open(whole), [expected.clone(), expected]);
            prop_assert!(refused(&receiver.open(whole)), "twice: {whole:02x?}");
            if is_new {
                highest = highest.max(Some(*index));
            }
        }
        prop_assert!(!opened.is_empty());
    }
}
