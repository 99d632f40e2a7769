//! Where every stage's numbers lie: parts of a whole are made where the whole will be, views cost
//! nothing, and memory is used again as soon as nobody reads it any more.

use super::stage::{Kind, Stage, Stages};

/// Numbers to which every piece of memory is aligned: a cache line of f32.
const LINE: usize = 16;

/// Where a stage's rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    storage: usize,
    /// The first number, from the beginning of its storage, later of all memory.
    pub at: usize,
    /// From one row to the next.
    pub stride: usize,
}

/// All places, and how much memory they need.
pub struct Plan {
    /// By stage.
    pub places: Vec<Place>,
    /// How many numbers.
    pub size: usize,
}

/// A piece of memory, and the stages between which it is in use.
#[derive(Clone, Debug)]
struct Storage {
    size: usize,
    first: usize,
    last: usize,
    at: usize,
}

/// Plans the memory of all stages.
pub fn plan(stages: &Stages) -> Plan {
    let mut planning =
        Planning { stages: &stages.list, places: vec![None; stages.list.len()], storages: vec![] };
    for (_, output) in &stages.outputs {
        planning.own(*output);
    }
    for stage in (0..stages.list.len()).rev() {
        planning.backwards(stage);
    }
    let places: Vec<Place> = (0..stages.list.len()).map(|stage| planning.forwards(stage)).collect();
    let mut storages = planning.storages;
    lives(stages, &places, &mut storages);
    let size = settle(&mut storages);
    let places = places
        .into_iter()
        .map(|place| Place { at: storages[place.storage].at + place.at, ..place })
        .collect();
    Plan { places, size }
}

/// The part of a whole that is made of its n-th input: rows and channels before it.
pub fn part(whole: &Stage, stages: &[Stage], input: usize) -> (usize, usize) {
    let before = || whole.inputs[..input].iter().map(|stage| &stages[*stage]);
    match whole.kind {
        Kind::ConcatRows => (before().map(Stage::rows).sum(), 0),
        _ => (0, before().map(Stage::channels).sum()),
    }
}

impl Place {
    /// So many rows and channels further on.
    pub fn further(self, (rows, channels): (usize, usize)) -> Self {
        Self { at: self.at + rows * self.stride + channels, ..self }
    }

    /// The same numbers counted as another stage counts them, if they lie so that it can.
    pub fn counted(self, from: &Stage, to: &Stage) -> Option<Self> {
        let alike = from.channels() == to.channels();
        let dense = self.stride == from.channels();
        let stride = if alike { self.stride } else { to.channels() };
        (alike || dense).then_some(Self { stride, ..self })
    }
}

struct Planning<'a> {
    stages: &'a [Stage],
    places: Vec<Option<Place>>,
    storages: Vec<Storage>,
}

impl Planning<'_> {
    /// Gives a stage memory of its own, unless it has a place.
    fn own(&mut self, stage: usize) -> Place {
        if let Some(place) = self.places[stage] {
            return place;
        }
        let channels = self.stages[stage].channels();
        let size = (self.stages[stage].rows() * channels).next_multiple_of(LINE);
        self.storages.push(Storage { size, first: usize::MAX, last: 0, at: 0 });
        let place = Place { storage: self.storages.len() - 1, at: 0, stride: channels };
        self.places[stage] = Some(place);
        place
    }

    /// Lets a stage's inputs be made where the stage has its place. Views wait: they are where
    /// their input is.
    fn backwards(&mut self, index: usize) {
        let stage = &self.stages[index];
        match stage.kind {
            Kind::ConcatChannels | Kind::ConcatRows => {
                let whole = self.own(index);
                for (nth, input) in stage.inputs.iter().enumerate() {
                    if self.can_move(*input) {
                        self.places[*input] = Some(whole.further(part(stage, self.stages, nth)));
                    }
                }
            }
            Kind::Reshape => {
                let input = stage.inputs[0];
                if let Some(place) = self.places[index].filter(|_| self.can_move(input)) {
                    self.places[input] = place.counted(stage, &self.stages[input]);
                }
            }
            Kind::Rows(_) | Kind::Channels(_) => {}
            _ => {
                self.own(index);
            }
        }
    }

    fn can_move(&self, stage: usize) -> bool {
        let fixed = matches!(
            self.stages[stage].kind,
            Kind::Input(_) | Kind::Constant(_) | Kind::Rows(_) | Kind::Channels(_)
        );
        !fixed && self.places[stage].is_none()
    }

    /// Puts views where their inputs are, and gives memory to those that cannot be views.
    fn forwards(&mut self, index: usize) -> Place {
        if let Some(place) = self.places[index] {
            return place;
        }
        let stage = &self.stages[index];
        let seen = stage.inputs.first().and_then(|input| {
            let place = self.places[*input]?;
            view(stage, &self.stages[*input], place)
        });
        match seen {
            Some(place) => {
                self.places[index] = Some(place);
                place
            }
            None => self.own(index),
        }
    }
}

/// Where a view of numbers at a place is, if it can be one.
pub fn view(stage: &Stage, from: &Stage, place: Place) -> Option<Place> {
    match &stage.kind {
        Kind::Rows(rows) => Some(place.further((rows.start, 0))),
        Kind::Channels(channels) => Some(place.further((0, channels.start))),
        Kind::Reshape => place.counted(from, stage),
        _ => None,
    }
}

/// Finds out when each storage is in use. What comes from outside or is there from the beginning
/// stays for ever, and outputs stay to the end.
fn lives(stages: &Stages, places: &[Place], storages: &mut [Storage]) {
    for (index, stage) in stages.list.iter().enumerate() {
        let lasting = matches!(stage.kind, Kind::Input(_) | Kind::Constant(_));
        let own = &mut storages[places[index].storage];
        own.first = own.first.min(if lasting { 0 } else { index });
        own.last = own.last.max(if lasting { usize::MAX } else { index });
        for read in stage.reads() {
            let storage = &mut storages[places[read].storage];
            storage.last = storage.last.max(index);
        }
    }
    for (_, output) in &stages.outputs {
        storages[places[*output].storage].last = usize::MAX;
    }
}

/// Lays out storages so that those in use at the same time do not overlap: the largest first, each
/// at the lowest free place. Returns how much memory it takes.
fn settle(storages: &mut [Storage]) -> usize {
    let mut order: Vec<usize> = (0..storages.len()).collect();
    order.sort_by_key(|storage| std::cmp::Reverse(storages[*storage].size));
    let mut settled: Vec<usize> = Vec::new();
    let mut end = 0;
    for index in order {
        let own = storages[index].clone();
        let together = |other: &&Storage| other.first <= own.last && own.first <= other.last;
        let mut others: Vec<&Storage> =
            settled.iter().map(|other| &storages[*other]).filter(together).collect();
        others.sort_by_key(|other| other.at);
        let mut at = 0;
        for other in others {
            if at + own.size <= other.at {
                break;
            }
            at = at.max(other.at + other.size);
        }
        storages[index].at = at;
        end = end.max(at + own.size);
        settled.push(index);
    }
    end
}
