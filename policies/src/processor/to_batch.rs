//! `to_batch_processor`: LeRobot adds a dimension for many observations at once. Here there is one
//! observation at a time, so nothing has to be done.

use crate::config::Fields;

/// Takes note of the fields that LeRobot may write.
pub(super) fn read(fields: &Fields<'_>) {
    fields.ignore(&[
        "to_batch_action_processor",
        "to_batch_observation_processor",
        "to_batch_complementary_data_processor",
    ]);
}
