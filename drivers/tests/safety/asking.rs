//! `sinew stop` from another process, and what it does where no process is left.

use std::sync::mpsc::sync_channel;

use sinew_drivers::arm::ArmOptions;
use sinew_drivers::stop::{Asked, Cause, StopFlag, StopPolicy, StopServer, ask};
use sinew_drivers::{Arm, Bus, Error};

use crate::world::{TICK, World, wave};

#[test]
fn a_running_robot_stops_when_asked_and_says_how_that_went() {
    let name = format!("asked-{}", std::process::id());
    let world = World::new(4);
    let flag = StopFlag::new();
    let options = ArmOptions { stop_flag: Some(flag.clone()), ..ArmOptions::default() };
    let mut arm = world.arm(options);
    let server = StopServer::start(&name, flag).unwrap();
    let (driving, started) = sync_channel(1);
    std::thread::scope(|scope| {
        let (world, driving) = (&world, driving);
        scope.spawn(move || {
            let clock = world.bus.clock();
            let error = loop {
                clock.sleep(TICK);
                let ticked = arm.observe().map(drop);
                match ticked.and_then(|()| arm.command(&wave(clock.now(), 40.0)).map(drop)) {
                    Ok(()) => driving.try_send(()).ok(),
                    Err(error) => break error,
                };
            };
            assert!(matches!(error, Error::Stopped { cause: Cause::Remote }), "{error}");
        });
        started.recv().unwrap();
        let Asked::Stopped(reports) = ask(&name, Some(StopPolicy::Hold)).unwrap() else {
            panic!("nobody was there")
        };
        assert_eq!(reports.len(), 1);
        assert!(reports[0].ok() && reports[0].policy == StopPolicy::Hold);
        assert_eq!(world.torques(), [true; 6]);
    });
    drop(server);
    assert_eq!(ask(&name, None).unwrap(), Asked::NotRunning);
}

#[test]
fn motors_left_by_a_killed_process_are_stopped_from_the_bus() {
    let world = World::new(4);
    let mut arm = world.arm(ArmOptions::default());
    arm.observe().unwrap();
    arm.command(&wave(0, 40.0)).unwrap();
    // What kill -9 leaves: nobody runs a destructor.
    std::mem::forget(arm);
    assert_eq!(world.torques(), [true; 6]);
    let bus = Bus::new(world.bus.wire(), world.spec.series.protocol);
    let mut owner = Arm::take_over(world.spec.clone(), bus, ArmOptions::default()).unwrap();
    assert!(owner.stop(StopPolicy::Limp).ok());
    assert_eq!(world.torques(), [false; 6]);
}
