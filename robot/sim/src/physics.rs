//! What reckons a world.

/// What moves bodies, from one step to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Physics {
    /// Ours: nothing to install, the same everywhere to the last bit.
    #[default]
    Own,
    /// MuJoCo, where its library is installed and the feature `mujoco` is built in: to compare with.
    Mujoco,
}

impl Physics {
    /// All, by the names that users type.
    pub const ALL: [(&str, Self); 2] = [("own", Self::Own), ("mujoco", Self::Mujoco)];
}
