//! How it is laid out: cameras and the arm on top, below them a plot per joint of where it was against where it was
//! sent, and what else there is behind a tab.

use re_sdk::EntityPath;
use re_sdk::blueprint::components::PanelState;
use re_sdk::blueprint::{
    Blueprint, BlueprintPanel, ContainerLike, Grid, Horizontal, SelectionPanel, Spatial2DView,
    Spatial3DView, Tabs, TimePanel, TimeSeriesView, Vertical,
};
use re_sdk_types::archetypes::SeriesLines;

/// What is there to see.
#[derive(Debug, Default)]
pub struct Contents {
    /// The cameras' entities.
    pub cameras: Vec<EntityPath>,
    /// The entity of all arms, if one is shown.
    pub arm: Option<EntityPath>,
    /// A plot per joint.
    pub joints: Vec<Plot>,
    /// Whatever else is plotted.
    pub others: Vec<Plot>,
    /// The timeline that runs at first.
    pub timeline: &'static str,
    /// Whether there are several recordings to choose from.
    pub several: bool,
}

/// Lines that are seen together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plot {
    /// What it says above.
    pub title: String,
    /// The lines.
    pub lines: Vec<Line>,
}

/// All lines of an entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The entity.
    pub entity: EntityPath,
    /// What it plays.
    pub role: Role,
}

/// What a line stands for, which gives it its name and colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Where a joint was.
    Seen,
    /// Where it was asked to go.
    Asked,
    /// Where it was sent, after the limits.
    Sent,
    /// How far a joint may go, one line for each end.
    Limit,
    /// Anything else goes by its own names, in colours that the viewer chooses.
    Other,
}

/// The entity of this name. Whatever is in it, it stays one name.
pub fn entity(name: &str) -> EntityPath {
    EntityPath::from_single_string(name)
}

/// The entity of one joint, as LeRobot's live display names it.
pub fn joint(role: Role, joint: &str) -> EntityPath {
    let of = match role {
        Role::Seen => "observation",
        Role::Sent => "sent",
        Role::Limit => "limits",
        Role::Asked | Role::Other => "action",
    };
    entity(&format!("{of}.{joint}"))
}

/// A plot per joint, with the lines of all who have it; the last is drawn over the others.
pub fn joints(lines: &[(Role, &[String])]) -> Vec<Plot> {
    let mut plots: Vec<Plot> = Vec::new();
    for (role, names) in lines {
        for name in *names {
            let title = name.trim_end_matches(".pos");
            let line = Line { entity: joint(*role, name), role: *role };
            match plots.iter_mut().find(|plot| plot.title == title) {
                Some(plot) => plot.lines.push(line),
                None => plots.push(Plot { title: title.to_owned(), lines: vec![line] }),
            }
        }
    }
    plots
}

impl Contents {
    /// The layout.
    pub fn blueprint(&self) -> Blueprint {
        let mut above: Vec<ContainerLike> = self.cameras.iter().map(picture).collect();
        above.extend(self.arm.as_ref().map(figure));
        let below: Option<ContainerLike> =
            match (grid("joints", &self.joints), grid("more", &self.others)) {
                (Some(joints), Some(others)) => {
                    Some(Tabs::new([joints.into(), others.into()]).into())
                }
                (joints, others) => joints.or(others).map(Into::into),
            };
        let root: ContainerLike = match (above.is_empty(), below) {
            (false, None) => Horizontal::new(above).into(),
            (true, below) => below.unwrap_or_else(|| Grid::new([]).into()),
            (false, Some(below)) => Vertical::new([Horizontal::new(above).into(), below]).into(),
        };
        let side = if self.several { PanelState::Expanded } else { PanelState::Collapsed };
        let time = TimePanel::new().with_state(PanelState::Collapsed);
        Blueprint::new(root)
            .with_blueprint_panel(BlueprintPanel::from_state(side))
            .with_selection_panel(SelectionPanel::from_state(PanelState::Collapsed))
            .with_time_panel(time.with_timeline(self.timeline))
    }
}

fn picture(camera: &EntityPath) -> ContainerLike {
    let name = camera.last().map(|part| part.unescaped_str().to_owned()).unwrap_or_default();
    let short = name.rsplit('.').next().unwrap_or(&name);
    Spatial2DView::new(short).with_origin(camera.clone()).into()
}

fn figure(arms: &EntityPath) -> ContainerLike {
    Spatial3DView::new("arm").with_origin(arms.clone()).into()
}

fn grid(name: &str, plots: &[Plot]) -> Option<Grid> {
    let columns: u32 = match plots.len() {
        0 => return None,
        1 | 2 => 2,
        4 => 2,
        3 | 5..=9 => 3,
        10..=16 => 4,
        _ => 6,
    };
    let views = plots.iter().map(|plot| plot.view().into());
    Some(Grid::new(views).with_name(name).with_grid_columns(columns.min(plots.len() as u32)))
}

impl Plot {
    fn view(&self) -> TimeSeriesView {
        let entities = self.lines.iter().map(|line| line.entity.to_string());
        let view = TimeSeriesView::new(self.title.as_str()).with_contents(entities);
        let styled = self.lines.iter().filter_map(|line| Some((line, line.role.style()?)));
        styled.fold(view, |view, (line, style)| view.with_override(line.entity.clone(), &style))
    }
}

impl Role {
    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seen => "state",
            Self::Asked => "action",
            Self::Sent => "sent",
            Self::Limit => "limit",
            Self::Other => "other",
        }
    }

    /// Its colour.
    pub fn colour(self) -> [u8; 3] {
        match self {
            Self::Seen => [0x4e, 0xa8, 0xff],
            Self::Asked => [0xff, 0xa0, 0x3c],
            Self::Sent | Self::Other => [0x90, 0x90, 0x90],
            Self::Limit => [0x9c, 0x3c, 0x3c],
        }
    }

    fn style(self) -> Option<SeriesLines> {
        let lines = |names: &[&str], width: f32| {
            let colours = names.iter().map(|_| self.colour());
            let lines = SeriesLines::new().with_names(names.iter().copied());
            lines.with_colors(colours).with_widths(names.iter().map(|_| width))
        };
        match self {
            Self::Seen | Self::Asked | Self::Sent => Some(lines(&[self.word()], 1.5)),
            Self::Limit => Some(lines(&["lower limit", "upper limit"], 1.0)),
            Self::Other => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_joint_that_both_have_is_one_plot() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let (seen, asked) = (names(&["pan.pos", "lift.pos"]), names(&["lift.pos", "grip"]));
        let plots = joints(&[(Role::Asked, &asked), (Role::Seen, &seen)]);
        let seen: Vec<_> = plots
            .iter()
            .map(|plot| {
                let lines = plot.lines.iter().map(|line| line.entity.to_string());
                (plot.title.as_str(), lines.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("lift", names(&["/action.lift.pos", "/observation.lift.pos"])),
                ("grip", names(&["/action.grip"])),
                ("pan", names(&["/observation.pan.pos"])),
            ]
        );
    }

    #[test]
    fn a_name_stays_one_name() {
        let path = joint(Role::Seen, "left arm/joint 1");
        assert_eq!(
            (path.len(), path.to_string().as_str()),
            (1, r"/observation.left\ arm\/joint\ 1")
        );
    }
}
