# Short names for what CI runs; CI itself runs .ci/run.

# The main job: a simulated arm, nothing plugged in.
demo:
    cargo run --release -- demo

# The tests, as the README has them.
test:
    cargo test --workspace

# Everything CI checks.
ci:
    bash .ci/run

# The real LeRobot and the servo SDKs against the virtual bus.
peers DIR="target/peers":
    bash tests/peers/setup {{DIR}}
    SINEW_PEER_PYTHON="$(realpath {{DIR}})/bin/python" cargo test -p sinew-tests peers

# Ten simulated hours on a bus where everything goes wrong, and a thousand ends of an arm.
soak:
    SINEW_SOAK_HOURS=10 cargo test --release -p sinew-drivers --features sim --test safety
