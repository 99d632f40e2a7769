//! What reckons a simulated world, as it is typed.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use sinew_sim::Physics;

/// What reckons the world.
#[derive(Clone, Copy, Debug, Args)]
pub struct PhysicsFlags {
    /// What reckons the world: own, or mujoco, to compare, where its library is and the program was built
    /// with it (--features mujoco)
    #[arg(long, value_name = "NAME", default_value = "own", value_parser = parser())]
    pub physics: Physics,
}

fn parser() -> impl TypedValueParser<Value = Physics> {
    let names = Physics::ALL.map(|(name, _)| name);
    PossibleValuesParser::new(names).map(|typed| {
        let found = Physics::ALL.into_iter().find(|(name, _)| *name == typed);
        found.map(|(_, physics)| physics).unwrap_or_default()
    })
}
