//! Who asks.

use serde_json::json;

use crate::serve::answer::{Answer, Refusal};
use crate::serve::call::Call;

/// Who shows this token.
pub fn whoami(call: &mut Call) -> Result<Answer, Refusal> {
    let stranger = || Refusal::unknown("nobody is logged in: set HF_TOKEN, or log in");
    let caller = call.caller.as_ref().ok_or_else(stranger)?;
    let role = if caller.write { "write" } else { "read" };
    Answer::json(&json!({
        "type": "user",
        "id": caller.name,
        "name": caller.name,
        "fullname": caller.name,
        "email": null,
        "emailVerified": false,
        "canPay": false,
        "isPro": false,
        "periodEnd": null,
        "avatarUrl": "",
        "orgs": [],
        "auth": {
            "type": "access_token",
            "accessToken": { "displayName": caller.name, "role": role },
        },
    }))
}
