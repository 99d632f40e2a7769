//! What users do, through the binary: one file per job.

mod ask_for_help;
mod edit_a_dataset;
mod find_cameras;
mod keep_the_tip_in_a_box;
mod let_a_policy_drive;
pub(crate) mod look_at_a_dataset;
mod move_an_arm_with_keys;
mod pull_from_a_hub;
mod record_episodes;
mod record_in_step;
mod record_through_a_kill;
mod record_through_faults;
mod record_what_a_policy_does;
mod repair_a_dataset;
mod replay_an_episode;
mod see_the_demo;
mod serve_a_hub;
mod set_an_arm_up;
mod set_up_in_one_go;
mod show_a_dataset;
mod simulate;
mod stop_an_arm;
mod talk_to_a_rollout;
mod teleoperate;
mod try_a_policy_in_simulation;
mod upload_to_a_hub;
pub(crate) mod use_a_policy;
