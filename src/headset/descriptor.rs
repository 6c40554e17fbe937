//! Report descriptors (HID 1.11 §6.2.2): where in a device's reports its buttons and lamps are. Any bytes give a [`Layout`]; what is
//! not understood is left out.

/// Usages are their page (16 bits) and their number there (16 bits), as in HID 1.11 §6.2.2.8.
const fn telephony(usage: u32) -> u32 {
    0x0B << 16 | usage
}

const fn led(usage: u32) -> u32 {
    0x08 << 16 | usage
}

/// What people press (HID Usage Tables §14, the telephony page).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Button {
    HookSwitch,
    Flash,
    Hold,
    Redial,
    Drop,
    PhoneMute,
}

impl Button {
    const ALL: [(Self, u32); 6] = [
        (Self::HookSwitch, telephony(0x20)),
        (Self::Flash, telephony(0x21)),
        (Self::Hold, telephony(0x23)),
        (Self::Redial, telephony(0x24)),
        (Self::Drop, telephony(0x26)),
        (Self::PhoneMute, telephony(0x2F)),
    ];
}

/// What the device shows (HID Usage Tables §11, the LED page), and its own ringer (telephony page).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lamp {
    Mute,
    OffHook,
    Ring,
    Hold,
    Ringer,
}

impl Lamp {
    const ALL: [(Self, u32); 5] = [
        (Self::Mute, led(0x09)),
        (Self::OffHook, led(0x17)),
        (Self::Ring, led(0x18)),
        (Self::Hold, led(0x20)),
        (Self::Ringer, telephony(0x9E)),
    ];
}

/// Some bits of a report. Bit 0 is the first report byte's lowest, behind the report's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Bits {
    report: u8,
    offset: usize,
    size: usize,
}

/// How a button is told (HID Usage Tables §3.4.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 1 as long as it is on.
    Switch,
    /// Each change from 0 to 1 is a press.
    Momentary,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Input {
    button: Button,
    bits: Bits,
    /// Of a selector: it holds this value in one of so many places while the button is pressed.
    selects: Option<(u32, usize)>,
    kind: Kind,
}

/// Where a device's buttons and lamps are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    inputs: Vec<Input>,
    lamps: Vec<(Lamp, Bits)>,
    /// Reports begin with their id.
    numbered: bool,
    /// Bits of each output report that has a lamp.
    outputs: Vec<(u8, usize)>,
}

/// Longer reports have nothing for us: 4 KiB, as the kernel takes.
const LONGEST: usize = 4096 * 8;
/// Fields of one report that are looked at; a headset has some twenty.
const FIELDS: usize = 256;

impl Layout {
    /// Reads a descriptor.
    pub fn parse(descriptor: &[u8]) -> Self {
        let mut parser = Parser::default();
        let mut rest = descriptor;
        while let Some((item, after)) = Item::read(rest) {
            parser.handle(&item);
            rest = after;
        }
        let Parser { mut layout, sizes, .. } = parser;
        let with_lamps = |report: &u8| layout.lamps.iter().any(|(_, bits)| bits.report == *report);
        let outputs = sizes.into_iter().filter(|size| size.main == Main::Output && with_lamps(&size.report));
        layout.outputs = outputs.map(|size| (size.report, size.bits)).collect();
        layout
    }

    pub fn has(&self, button: Button) -> bool {
        self.inputs.iter().any(|input| input.button == button)
    }

    /// Whether the button stays where it is put.
    pub fn is_switch(&self, button: Button) -> bool {
        self.inputs.iter().any(|input| input.button == button && input.kind == Kind::Switch)
    }

    pub fn shows(&self, lamp: Lamp) -> bool {
        self.lamps.iter().any(|(shown, _)| *shown == lamp)
    }

    /// The buttons that a report tells of, how each is told, and whether it is on.
    pub fn read<'a>(&'a self, report: &'a [u8]) -> impl Iterator<Item = (Button, Kind, bool)> + 'a {
        let (id, body) = match report.split_first() {
            Some((id, body)) if self.numbered => (*id, body),
            _ => (0, report),
        };
        // A short report says nothing of what would stand behind its end.
        let of_report = self.inputs.iter().filter(move |input| input.bits.report == id);
        of_report.filter_map(move |input| {
            let on = match input.selects {
                None => get(body, input.bits.offset, input.bits.size)? != 0,
                Some((value, places)) => {
                    let at = |place: usize| get(body, input.bits.offset + place * input.bits.size, input.bits.size);
                    at(0)?;
                    (0..places).any(|place| at(place) == Some(value))
                }
            };
            Some((input.button, input.kind, on))
        })
    }

    /// The output reports with these lamps on and all others off, each with its id in front (0 where reports have none).
    pub fn write(&self, lit: &[Lamp]) -> Vec<Vec<u8>> {
        let report = |&(id, size): &(u8, usize)| {
            let mut report = vec![0; 1 + size.div_ceil(8)];
            report[0] = id;
            let on = self.lamps.iter().filter(|(lamp, bits)| bits.report == id && lit.contains(lamp));
            on.for_each(|(_, bits)| report[1 + bits.offset / 8] |= 1 << (bits.offset % 8));
            report
        };
        self.outputs.iter().map(report).collect()
    }
}

/// The number in these bits, or nothing where they are not there.
fn get(body: &[u8], offset: usize, size: usize) -> Option<u32> {
    let bit = |at: usize| body.get(at / 8).map(|byte| u32::from(byte >> (at % 8) & 1));
    (0..size).try_fold(0, |sum, n| Some(sum | bit(offset + n)? << n))
}

/// A short item (HID 1.11 §6.2.2.2); a long one (§6.2.2.3) has nothing that is known, as `tag` 0xF0.
struct Item {
    tag: u8,
    value: u32,
    size: usize,
}

impl Item {
    fn read(bytes: &[u8]) -> Option<(Self, &[u8])> {
        const LONG: u8 = 0xFE;
        let (&prefix, rest) = bytes.split_first()?;
        if prefix == LONG {
            let (&size, rest) = rest.split_first()?;
            return Some((Self { tag: 0xF0, value: 0, size: 0 }, rest.get(1 + usize::from(size)..)?));
        }
        let size = [0, 1, 2, 4][usize::from(prefix & 3)];
        let (data, rest) = rest.split_at_checked(size)?;
        let value = data.iter().rev().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        Some((Self { tag: prefix & 0xFC, value, size }, rest))
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Main {
    Input,
    Output,
}

/// Bits of a report so far.
struct Size {
    main: Main,
    report: u8,
    bits: usize,
}

/// Global items, which Push and Pop keep (HID 1.11 §6.2.2.7).
#[derive(Clone, Copy, Default)]
struct Global {
    page: u32,
    logical_minimum: u32,
    size: usize,
    report: u8,
    count: usize,
}

#[derive(Default)]
struct Parser {
    global: Global,
    pushed: Vec<Global>,
    /// Usages named for the next field, as ranges.
    usages: Vec<(u32, u32)>,
    usage_minimum: Option<u32>,
    sizes: Vec<Size>,
    layout: Layout,
}

impl Parser {
    fn handle(&mut self, item: &Item) {
        // Four bytes name the page themselves (§6.2.2.8).
        let usage = if item.size == 4 { item.value } else { self.global.page << 16 | item.value & 0xFFFF };
        match item.tag {
            0x80 => self.field(Main::Input, item.value),
            0x90 => self.field(Main::Output, item.value),
            // Feature, Collection, End Collection: locals end with each main item.
            0xB0 | 0xA0 | 0xC0 => self.forget_locals(),
            0x04 => self.global.page = item.value & 0xFFFF,
            0x14 => self.global.logical_minimum = item.value,
            0x74 => self.global.size = item.value as usize,
            0x84 => {
                self.global.report = item.value as u8;
                self.layout.numbered = true;
            }
            0x94 => self.global.count = item.value as usize,
            0xA4 if self.pushed.len() < FIELDS => self.pushed.push(self.global),
            0xB4 => self.global = self.pushed.pop().unwrap_or(self.global),
            0x08 if self.usages.len() < FIELDS => self.usages.push((usage, usage)),
            0x18 => self.usage_minimum = Some(usage),
            0x28 if self.usages.len() < FIELDS => {
                self.usages
                    .extend(self.usage_minimum.take().filter(|first| *first <= usage).map(|first| (first, usage)));
            }
            _ => {}
        }
    }

    fn forget_locals(&mut self) {
        self.usages.clear();
        self.usage_minimum = None;
    }

    /// A main item that adds bits to a report.
    fn field(&mut self, main: Main, flags: u32) {
        let Global { size, count, report, .. } = self.global;
        let known = self.sizes.iter().position(|known| (known.main, known.report) == (main, report));
        let at = known.unwrap_or_else(|| {
            self.sizes.push(Size { main, report, bits: 0 });
            self.sizes.len() - 1
        });
        let offset = self.sizes[at].bits;
        let end = size.saturating_mul(count).saturating_add(offset);
        self.sizes[at].bits = end.min(LONGEST);
        let is_constant = flags & 1 != 0;
        if !is_constant && size > 0 && end <= LONGEST {
            self.name(main, flags, offset);
        }
        self.forget_locals();
    }

    /// Notes what is wanted among the usages of a field that begins at `offset`.
    fn name(&mut self, main: Main, flags: u32, offset: usize) {
        let (is_variable, is_relative, no_preferred) = (flags & 2 != 0, flags & 4 != 0, flags & 0x20 != 0);
        let Global { size, count, report, logical_minimum, .. } = self.global;
        let bits = |index: usize| Bits { report, offset: offset + index * size, size };
        let index = |wanted| self.index(wanted).filter(|index| !is_variable || *index < count);
        if main == Main::Output {
            let found = Lamp::ALL.iter().filter_map(|(lamp, usage)| Some((*lamp, index(*usage)?)));
            let lamps: Vec<_> = found.filter(|_| is_variable).map(|(lamp, index)| (lamp, bits(index))).collect();
            self.layout.lamps.extend(lamps);
            self.layout.lamps.truncate(FIELDS);
            return;
        }
        // What is no number of up to 32 bits is no button.
        let found = Button::ALL.iter().filter(|_| size <= 32);
        let found = found.filter_map(|(button, usage)| Some((*button, index(*usage)?)));
        let inputs = found.map(|(button, index)| {
            let is_switch = is_variable && !is_relative && (no_preferred || button == Button::HookSwitch);
            let kind = if is_switch { Kind::Switch } else { Kind::Momentary };
            match is_variable {
                true => Input { button, bits: bits(index), selects: None, kind },
                false => {
                    let value = logical_minimum.wrapping_add(index as u32);
                    Input { button, bits: bits(0), selects: Some((value, count)), kind }
                }
            }
        });
        let inputs: Vec<_> = inputs.collect();
        self.layout.inputs.extend(inputs);
        self.layout.inputs.truncate(FIELDS);
    }

    /// The place of a usage among those named, in their order.
    fn index(&self, wanted: u32) -> Option<usize> {
        let mut before = 0usize;
        for (first, last) in &self.usages {
            if (*first..=*last).contains(&wanted) {
                return before.checked_add((wanted - first) as usize);
            }
            before = before.checked_add((last - first) as usize + 1)?;
        }
        None
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A headset as most are: hook switch that stays, buttons that do not, a keypad as a selector, lamps in a report of another
    /// number, and consumer controls beside it all.
    pub const USUAL: &[u8] = &[
        0x05, 0x0B, 0x09, 0x05, 0xA1, 0x01, 0x85, 0x02, // telephony page, headset, application, report 2
        0x15, 0x00, 0x25, 0x01, 0x75, 0x01, // one bit each
        0x09, 0x20, 0x09, 0x97, 0x95, 0x02, 0x81, 0x22, // hook switch, line busy tone: absolute, no preferred
        0x09, 0x2F, 0x09, 0x21, 0x09, 0x24, 0x09, 0x23, 0x95, 0x04, 0x81,
        0x06, // mute, flash, redial, hold: relative
        0x09, 0x06, 0xA1, 0x02, 0x19, 0xB0, 0x29, 0xBB, 0x15, 0x00, 0x25, 0x0C, 0x75, 0x04, 0x95, 0x01, 0x81, 0x40,
        0xC0, 0x75, 0x01, 0x95, 0x06, 0x81, 0x01, // padding
        0x15, 0x00, 0x25, 0x01, 0x05, 0x08, 0x85, 0x03, // the lamps' page, report 3
        0x09, 0x17, 0x09, 0x09, 0x09, 0x18, 0x09, 0x20, 0x75, 0x01, 0x95, 0x04, 0x91,
        0x22, // off-hook, mute, ring, hold
        0x05, 0x0B, 0x09, 0x9E, 0x95, 0x01, 0x91, 0x22, 0x95, 0x0B, 0x91, 0x01, // ringer, padding
        0xC0, 0x05, 0x0C, 0x09, 0x01, 0xA1, 0x01, 0x85, 0x01, 0x09, 0xE9, 0x09, 0xEA, 0x95, 0x02, 0x81, 0x02, 0xC0,
    ];

    /// A small one: one toggle for the hook, one for mute, two lamps in reports of their own, and no numbers.
    pub const SMALL: &[u8] = &[
        0x05, 0x0B, 0x09, 0x05, 0xA1, 0x01, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x02, 0x09, 0x20, 0x09, 0x2F,
        0x81, 0x06, 0x95, 0x06, 0x81, 0x03, 0x05, 0x08, 0x95, 0x02, 0x09, 0x17, 0x09, 0x09, 0x91, 0x02, 0x95, 0x06,
        0x91, 0x03, 0xC0,
    ];

    fn pressed(layout: &Layout, report: &[u8]) -> Vec<Button> {
        layout.read(report).filter(|(_, _, on)| *on).map(|(button, _, _)| button).collect()
    }

    #[test]
    fn buttons_and_lamps_are_found_where_the_descriptor_says() {
        let usual = Layout::parse(USUAL);
        for (report, wanted) in [
            (&[2, 0b1, 0][..], &[Button::HookSwitch][..]),
            (&[2, 0b100, 0], &[Button::PhoneMute]),
            (&[2, 0b1000, 0], &[Button::Flash]),
            (&[2, 0b1_0001, 0], &[Button::HookSwitch, Button::Redial]),
            (&[2, 0b10_0000, 0], &[Button::Hold]),
            (&[2, 0b1100_0010, 0xFF], &[]),
            (&[1, 0xFF], &[]),
            (&[3, 0xFF], &[]),
            (&[2], &[]),
            (&[], &[]),
        ] {
            let mut found = pressed(&usual, report);
            found.sort();
            assert_eq!(found, wanted, "{report:?}");
        }
        let kinds: Vec<_> = usual.read(&[2, 0, 0]).map(|(button, kind, _)| (button, kind)).collect();
        assert!(
            kinds.contains(&(Button::HookSwitch, Kind::Switch))
                && kinds.contains(&(Button::PhoneMute, Kind::Momentary))
        );
        assert_eq!(usual.write(&[]), [[3, 0, 0]]);
        assert_eq!(usual.write(&[Lamp::OffHook, Lamp::Mute]), [[3, 0b11, 0]]);
        assert_eq!(usual.write(&[Lamp::Ring, Lamp::Ringer, Lamp::Hold]), [[3, 0b1_1100, 0]]);

        let small = Layout::parse(SMALL);
        assert_eq!(pressed(&small, &[0b10]), [Button::PhoneMute]);
        assert_eq!(small.read(&[0]).next(), Some((Button::HookSwitch, Kind::Momentary, false)));
        assert_eq!(small.write(&[Lamp::Mute, Lamp::Ring]), [[0, 0b10]]);
        assert!(!small.shows(Lamp::Ring) && !small.has(Button::Flash));
    }

    #[test]
    fn a_selector_names_its_button_by_number_and_a_switch_for_mute_stays() {
        // Usages 0x20 to 0x2F as a selector of two places, numbered from 1; behind it a mute switch.
        let descriptor = [
            0x05, 0x0B, 0xA1, 0x01, 0x19, 0x20, 0x29, 0x2F, 0x15, 0x01, 0x25, 0x10, 0x75, 0x08, 0x95, 0x02, 0x81, 0x00,
            0x0B, 0x2F, 0x00, 0x0B, 0x00, 0x75, 0x01, 0x95, 0x01, 0x81, 0x22, 0xC0,
        ];
        let layout = Layout::parse(&descriptor);
        assert_eq!(pressed(&layout, &[0, 1, 0]), [Button::HookSwitch]);
        assert_eq!(pressed(&layout, &[2, 16, 0]), [Button::Flash, Button::PhoneMute]);
        let on: Vec<_> = layout.read(&[0, 0, 1]).filter(|(_, _, on)| *on).collect();
        assert_eq!(on, [(Button::PhoneMute, Kind::Switch, true)]);
    }

    #[test]
    fn what_is_kept_aside_comes_back_and_keyboards_have_nothing_for_us() {
        let kept = [
            0x05, 0x0B, 0x75, 0x01, 0x95, 0x01, 0xA4, 0x05, 0x0C, 0x75, 0x08, 0x09, 0x20, 0x81, 0x02, 0xB4, 0x09, 0x2F,
            0x81, 0x06,
        ];
        assert_eq!(pressed(&Layout::parse(&kept), &[0xFF, 1]), [Button::PhoneMute]);
        let keyboard = [
            0x05, 0x01, 0x09, 0x06, 0xA1, 0x01, 0x05, 0x07, 0x19, 0xE0, 0x29, 0xE7, 0x15, 0x00, 0x25, 0x01, 0x75, 0x01,
            0x95, 0x08, 0x81, 0x02, 0x95, 0x05, 0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x91, 0x02, 0xC0,
        ];
        assert_eq!(Layout::parse(&keyboard), Layout::default());
    }

    mod properties {
        use super::*;
        use crate::properties::config;

        proptest! {
            #![proptest_config(config(256, 1112))]

            #[test]
            fn any_descriptor_and_any_report_is_survived(
                bytes in prop::collection::vec(any::<u8>(), 0..300),
                at in any::<prop::sample::Index>(),
                report in prop::collection::vec(any::<u8>(), 0..80),
            ) {
                // Nothing but noise, and a headset's own with noise in it.
                let mut damaged = USUAL.to_vec();
                let at = at.index(damaged.len());
                damaged.splice(at..(at + bytes.len() / 8).min(damaged.len()), bytes.iter().take(40).copied());
                for descriptor in [&bytes, &damaged] {
                    let layout = Layout::parse(descriptor);
                    prop_assert!(layout.inputs.len() <= FIELDS && layout.lamps.len() <= FIELDS);
                    let read = layout.read(&report).count();
                    prop_assert!(read <= layout.inputs.len());
                    let all = Lamp::ALL.map(|(lamp, _)| lamp);
                    for written in layout.write(&all) {
                        prop_assert!(written.len() <= 1 + LONGEST / 8);
                        prop_assert!(written[1..].iter().any(|byte| *byte != 0), "each report has a lamp");
                    }
                }
            }
        }
    }
}
