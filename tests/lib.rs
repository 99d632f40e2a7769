//! Proof: users' jobs through the binary and against real peers.

#[cfg(test)]
mod arrows;
#[cfg(test)]
mod firmware;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod peers;
#[cfg(test)]
mod sandbox;
