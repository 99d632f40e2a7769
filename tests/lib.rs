//! Proof: users' jobs through the binary and against real peers.
