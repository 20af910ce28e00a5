//! A made-up machine whose power is cut at any step, in turn and at random.

use proptest::prelude::*;

use super::*;

/// The power is gone.
#[derive(Debug, PartialEq, Eq)]
struct Cut;

/// What the world does instead of working.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Nature {
    fetch_fails: bool,
    bad_signature: bool,
    install_fails: bool,
    restart_fails: bool,
    /// New firmware starts and is confirmed.
    good: bool,
    slots: bool,
}

/// Disks that survive a power cut, and a count of the steps until one.
#[derive(Debug)]
struct Device {
    nature: Nature,
    record: Record,
    /// The package on disk.
    package: bool,
    /// Whether each slot holds firmware that is whole, and its version.
    slots: [Option<u32>; 2],
    active: usize,
    installed: u32,
    /// Steps left until the power goes.
    left: Option<u32>,
    steps: u32,
    ends: Vec<u16>,
}

impl Device {
    fn new(nature: Nature) -> Self {
        Self {
            nature,
            record: Record::default(),
            package: false,
            slots: [Some(1), None],
            active: 0,
            installed: 1,
            left: None,
            steps: 0,
            ends: Vec::new(),
        }
    }

    /// One step that leaves a trace on disk; the power may go before it.
    fn step(&mut self) -> Result<(), Cut> {
        self.steps += 1;
        match &mut self.left {
            Some(0) => Err(Cut),
            Some(left) => {
                *left -= 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn fault(code: u16) -> Result<(), Fault> {
        Err(Fault { code, reason: "so it is".to_owned() })
    }

    /// Whether the machine could be started now, and with which version.
    fn boots(&self) -> Option<u32> {
        if self.nature.slots { self.slots[self.active] } else { Some(self.installed) }
    }

    fn execute(&mut self, kind: Kind) -> Result<(), Unready> {
        let mut record = self.record.clone();
        record.begin(kind, "x", Delivery { version: "2".to_owned(), ..Delivery::default() })?;
        self.record = record;
        Ok(())
    }

    /// From the power to the end of all work, or until the power is cut.
    async fn run(&mut self) -> Result<(), Cut> {
        assert!(self.boots().is_some(), "the machine does not start: {self:?}");
        let mut record = self.record.clone();
        if record.start(3, true) {
            self.keep(&record).await?;
        }
        drive(&mut record, self).await?;
        if self.nature.good && record.confirm(false) {
            self.keep(&record).await?;
            drive(&mut record, self).await?;
        }
        Ok(())
    }

    /// Runs with as many starts as it takes.
    async fn settle(&mut self) {
        for _ in 0..20 {
            self.left = None;
            self.run().await.unwrap();
            if self.record.stage == Stage::Idle && !self.record.has_work() {
                return;
            }
        }
        panic!("it does not come to an end: {self:?}");
    }
}

impl World for Device {
    type Stop = Cut;

    async fn keep(&mut self, record: &Record) -> Result<(), Cut> {
        self.step()?;
        if record.ended.is_some() && self.record.ended.is_none() {
            self.ends.extend(record.ended.as_ref().map(|ended| ended.code));
        }
        self.record = record.clone();
        Ok(())
    }

    async fn fetch(&mut self, _delivery: &Delivery) -> Result<Result<(), Fault>, Cut> {
        assert_eq!(self.record.stage, Stage::Fetching, "said before it is done");
        self.step()?;
        if self.nature.fetch_fails {
            return Ok(Self::fault(503));
        }
        self.package = true;
        Ok(Ok(()))
    }

    async fn check(&mut self, _delivery: &Delivery) -> Result<Result<(), Fault>, Cut> {
        if !self.package {
            return Ok(Self::fault(402));
        }
        Ok(if self.nature.bad_signature { Self::fault(404) } else { Ok(()) })
    }

    async fn spare(&mut self) -> Result<Result<Option<usize>, Fault>, Cut> {
        Ok(Ok(self.nature.slots.then_some(1 - self.active)))
    }

    async fn install(
        &mut self,
        _delivery: &Delivery,
        slot: Option<usize>,
        _run: u32,
    ) -> Result<Result<(), Fault>, Cut> {
        assert!(matches!(self.record.stage, Stage::Installing { runs: 1.., .. }), "said before it is done");
        let Some(slot) = slot else {
            self.step()?;
            if self.nature.install_fails {
                return Ok(Self::fault(410));
            }
            self.installed = 2;
            return Ok(Ok(()));
        };
        assert_ne!(slot, self.active, "what is in use is not written");
        self.slots[slot] = None;
        self.step()?;
        if self.nature.install_fails {
            return Ok(Self::fault(410));
        }
        self.slots[slot] = Some(2);
        self.step()?;
        Ok(Ok(()))
    }

    async fn switch(&mut self, slot: usize) -> Result<Result<(), Fault>, Cut> {
        assert!(matches!(self.record.stage, Stage::Trial { .. } | Stage::Leaving { .. }));
        self.step()?;
        self.active = slot;
        Ok(Ok(()))
    }

    async fn restart(&mut self) -> Result<Result<(), Fault>, Cut> {
        self.step()?;
        Ok(if self.nature.restart_fails && self.active == 1 { Self::fault(410) } else { Ok(()) })
    }

    async fn discard(&mut self) -> Result<(), Cut> {
        self.step()?;
        self.package = false;
        Ok(())
    }
}

fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// What has to hold when nothing is left to do.
fn check(device: &Device, kind: Kind) {
    let Nature { fetch_fails, bad_signature, install_fails, restart_fails, good, slots } = device.nature;
    let Device { record, .. } = device;
    assert_eq!(device.ends.len(), 1, "one end for one operation: {device:?}");
    let code = device.ends[0];
    let version = device.boots().expect("the machine starts");
    let downloads = !fetch_fails && !bad_signature;
    if kind == Kind::Download {
        assert_eq!(
            (code, record.state),
            if downloads { (200, State::ReadyToUpdate) } else { (code, State::DownloadFailed) }
        );
        assert_eq!((code == 200, record.ready.is_some(), version), (downloads, downloads, 1));
        return;
    }
    let works = downloads && !install_fails && (!slots || (good && !restart_fails));
    // Where nothing could be restarted, the power cut may have done it.
    let works =
        if works || !restart_fails || !good || install_fails || !downloads { works } else { code == 200 };
    // An installation that was cut short three times is given up, well as it might have gone.
    if code == 410 && works {
        assert_eq!(record.state, State::UpdateFailedHaveData);
        return;
    }
    assert_eq!((code == 200, record.state == State::UpdatedNoData), (works, works), "{device:?}");
    assert_eq!(version, if works { 2 } else { 1 }, "{device:?}");
    assert_eq!(record.state == State::UpdateFailedHaveData, device.package, "{device:?}");
}

fn natures() -> impl Iterator<Item = Nature> {
    (0..64_u8).map(|bits| Nature {
        fetch_fails: bits & 1 != 0,
        bad_signature: bits & 2 != 0,
        install_fails: bits & 4 != 0,
        restart_fails: bits & 8 != 0,
        good: bits & 16 != 0,
        slots: bits & 32 != 0,
    })
}

#[test]
fn power_cut_at_every_step_in_turn() {
    for nature in natures() {
        for kind in [Kind::Download, Kind::DownloadAndUpdate] {
            for cut in 0.. {
                let mut device = Device::new(nature);
                device.execute(kind).unwrap();
                device.left = Some(cut);
                let clean = wait(device.run()).is_ok();
                wait(device.settle());
                check(&device, kind);
                if clean {
                    assert!(cut > 1, "a run has more than one step");
                    break;
                }
            }
        }
    }
}

proptest! {
    #[test]
    fn power_cuts_at_random(bits in 0..64_usize, cuts in prop::collection::vec(0..12_u32, 0..6), update in any::<bool>()) {
        let kind = if update { Kind::DownloadAndUpdate } else { Kind::Download };
        let mut device = Device::new(natures().nth(bits).unwrap());
        device.execute(kind).unwrap();
        for cut in cuts {
            device.left = Some(cut);
            // Whether the power went or not, the next start is the same.
            let _ = wait(device.run());
        }
        wait(device.settle());
        prop_assert_eq!(device.ends.len(), 1);
        prop_assert!(device.boots().is_some());
        if device.ends[0] == 200 && update {
            prop_assert_eq!(device.boots(), Some(2));
        }
        prop_assert!(!device.record.has_work());
    }
}

#[test]
fn one_operation_at_a_time_and_updates_need_a_package() {
    let mut device = Device::new(Nature::default());
    assert_eq!(device.execute(Kind::Update), Err(Unready::NoPackage));
    device.execute(Kind::Download).unwrap();
    assert_eq!(device.record.state, State::DownloadProgressing);
    for kind in [Kind::Download, Kind::Update, Kind::DownloadAndUpdate] {
        assert_eq!(device.execute(kind), Err(Unready::Busy));
    }
    wait(device.settle());
    assert_eq!((device.record.state, device.record.result()), (State::ReadyToUpdate, 200));
    device.execute(Kind::Update).unwrap();
    assert_eq!((device.record.state, device.record.result()), (State::UpdateProgressing, 0));
    wait(device.settle());
    assert_eq!((device.record.state, device.installed), (State::UpdatedNoData, 2));
    assert_eq!(device.ends, [200, 200]);
}

#[test]
fn firmware_that_nobody_confirms_is_left_after_its_starts() {
    let mut device = Device::new(Nature { slots: true, ..Nature::default() });
    device.execute(Kind::DownloadAndUpdate).unwrap();
    wait(device.run()).unwrap();
    for starts in 1..=3 {
        wait(device.run()).unwrap();
        assert_eq!(device.record.stage, Stage::Trial { slot: 1, starts, switched: true });
        assert_eq!(device.boots(), Some(2));
    }
    wait(device.run()).unwrap();
    assert_eq!((device.boots(), device.ends.as_slice()), (Some(1), &[500][..]));
    assert_eq!(device.record.state, State::UpdateFailedHaveData);
}

#[test]
fn where_the_machine_restarts_only_a_start_lets_firmware_be_confirmed() {
    let mut record =
        Record { stage: Stage::Trial { slot: 1, starts: 0, switched: true }, ..Record::default() };
    assert!(!record.confirm(true));
    record.start(3, true);
    assert!(record.confirm(true));
    assert!(!record.confirm(true), "once");
}

#[test]
fn what_was_switched_takes_effect_once_more_after_a_start_of_the_agent_alone() {
    let switched = |starts, switched| Stage::Trial { slot: 1, starts, switched };
    let mut record = Record { stage: switched(0, false), ..Record::default() };
    assert!(!record.start(3, false) && record.has_work(), "it is not switched yet");
    record.stage = switched(0, true);
    assert!(!record.has_work());
    assert!(record.start(3, false) && record.stage == switched(1, false) && record.has_work());
    record.stage = switched(1, true);
    assert!(record.start(3, false) && record.stage == switched(2, true) && !record.has_work());
}
