//! What a register is: where it lies, how wide it is, how its sign travels, who may write it.

use crate::packet::Protocol;

/// The order in which a register's bytes travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ByteOrder {
    /// Lowest byte first.
    Little,
    /// Highest byte first.
    Big,
}

/// How a negative value travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It cannot be negative.
    Unsigned,
    /// Magnitude below this bit, the bit itself is the sign.
    Magnitude(u8),
    /// Two's complement over the register's width.
    Twos,
}

/// Who may write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Only the servo.
    ReadOnly,
    /// The host as well.
    ReadWrite,
}

/// Where the value is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// Survives power loss; on Feetech it is guarded by the lock, on Dynamixel by torque.
    Eeprom,
    /// Lost with the power.
    Ram,
}

/// What a register means, across all series. Spelled as LeRobot spells it by [`Reg::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[allow(missing_docs)] // the names say it, and they are the manufacturers' own
pub enum Reg {
    FirmwareMajorVersion,
    FirmwareMinorVersion,
    FirmwareVersion,
    ModelNumber,
    ModelInformation,
    Id,
    BaudRate,
    ReturnDelayTime,
    ResponseStatusLevel,
    DriveMode,
    SecondaryId,
    ProtocolType,
    MinPositionLimit,
    MaxPositionLimit,
    MaxTemperatureLimit,
    MaxVoltageLimit,
    MinVoltageLimit,
    MaxTorqueLimit,
    PwmLimit,
    CurrentLimit,
    AccelerationLimit,
    VelocityLimit,
    MovingThreshold,
    Phase,
    UnloadingCondition,
    LedAlarmCondition,
    PCoefficient,
    ICoefficient,
    DCoefficient,
    MinimumStartupForce,
    CwDeadZone,
    CcwDeadZone,
    ProtectionCurrent,
    AngularResolution,
    HomingOffset,
    OperatingMode,
    ProtectiveTorque,
    ProtectionTime,
    OverloadTorque,
    VelocityPCoefficient,
    VelocityICoefficient,
    OverCurrentProtectionTime,
    Shutdown,
    TorqueEnable,
    Led,
    RegisteredInstruction,
    HardwareErrorStatus,
    Feedforward2ndGain,
    Feedforward1stGain,
    BusWatchdog,
    Acceleration,
    GoalPosition,
    GoalTime,
    GoalVelocity,
    GoalPwm,
    GoalCurrent,
    TorqueLimit,
    Lock,
    ProfileAcceleration,
    ProfileVelocity,
    RealtimeTick,
    Moving,
    MovingStatus,
    PresentPosition,
    PresentVelocity,
    PresentLoad,
    PresentPwm,
    PresentVoltage,
    PresentTemperature,
    PresentCurrent,
    SyncWriteFlag,
    Status,
    GoalPosition2,
    VelocityTrajectory,
    PositionTrajectory,
    MovingVelocity,
    MovingVelocityThreshold,
    Dts,
    VelocityUnitFactor,
    Hts,
    MaximumVelocityLimit,
    MinimumVelocity,
    MaximumAcceleration,
    PwmMaximumStep,
    Acceleration2,
    AccelerationMultiplier,
}

impl Reg {
    /// How many meanings there are.
    pub const COUNT: usize = Self::AccelerationMultiplier as usize + 1;

    /// The name LeRobot uses, so that messages read alike; where its series differ, the one of its
    /// Feetech tables. [`crate::tables::Series::named`] knows them all.
    pub const fn name(self) -> &'static str {
        match self {
            Self::FirmwareMajorVersion => "Firmware_Major_Version",
            Self::FirmwareMinorVersion => "Firmware_Minor_Version",
            Self::FirmwareVersion => "Firmware_Version",
            Self::ModelNumber => "Model_Number",
            Self::ModelInformation => "Model_Information",
            Self::Id => "ID",
            Self::BaudRate => "Baud_Rate",
            Self::ReturnDelayTime => "Return_Delay_Time",
            Self::ResponseStatusLevel => "Response_Status_Level",
            Self::DriveMode => "Drive_Mode",
            Self::SecondaryId => "Secondary_ID",
            Self::ProtocolType => "Protocol_Type",
            Self::MinPositionLimit => "Min_Position_Limit",
            Self::MaxPositionLimit => "Max_Position_Limit",
            Self::MaxTemperatureLimit => "Max_Temperature_Limit",
            Self::MaxVoltageLimit => "Max_Voltage_Limit",
            Self::MinVoltageLimit => "Min_Voltage_Limit",
            Self::MaxTorqueLimit => "Max_Torque_Limit",
            Self::PwmLimit => "PWM_Limit",
            Self::CurrentLimit => "Current_Limit",
            Self::AccelerationLimit => "Acceleration_Limit",
            Self::VelocityLimit => "Velocity_Limit",
            Self::MovingThreshold => "Moving_Threshold",
            Self::Phase => "Phase",
            Self::UnloadingCondition => "Unloading_Condition",
            Self::LedAlarmCondition => "LED_Alarm_Condition",
            Self::PCoefficient => "P_Coefficient",
            Self::ICoefficient => "I_Coefficient",
            Self::DCoefficient => "D_Coefficient",
            Self::MinimumStartupForce => "Minimum_Startup_Force",
            Self::CwDeadZone => "CW_Dead_Zone",
            Self::CcwDeadZone => "CCW_Dead_Zone",
            Self::ProtectionCurrent => "Protection_Current",
            Self::AngularResolution => "Angular_Resolution",
            Self::HomingOffset => "Homing_Offset",
            Self::OperatingMode => "Operating_Mode",
            Self::ProtectiveTorque => "Protective_Torque",
            Self::ProtectionTime => "Protection_Time",
            Self::OverloadTorque => "Overload_Torque",
            Self::VelocityPCoefficient => "Velocity_P_Coefficient",
            Self::VelocityICoefficient => "Velocity_I_Coefficient",
            Self::OverCurrentProtectionTime => "Over_Current_Protection_Time",
            Self::Shutdown => "Shutdown",
            Self::TorqueEnable => "Torque_Enable",
            Self::Led => "LED",
            Self::RegisteredInstruction => "Registered_Instruction",
            Self::HardwareErrorStatus => "Hardware_Error_Status",
            Self::Feedforward2ndGain => "Feedforward_2nd_Gain",
            Self::Feedforward1stGain => "Feedforward_1st_Gain",
            Self::BusWatchdog => "Bus_Watchdog",
            Self::Acceleration => "Acceleration",
            Self::GoalPosition => "Goal_Position",
            Self::GoalTime => "Goal_Time",
            Self::GoalVelocity => "Goal_Velocity",
            Self::GoalPwm => "Goal_PWM",
            Self::GoalCurrent => "Goal_Current",
            Self::TorqueLimit => "Torque_Limit",
            Self::Lock => "Lock",
            Self::ProfileAcceleration => "Profile_Acceleration",
            Self::ProfileVelocity => "Profile_Velocity",
            Self::RealtimeTick => "Realtime_Tick",
            Self::Moving => "Moving",
            Self::MovingStatus => "Moving_Status",
            Self::PresentPosition => "Present_Position",
            Self::PresentVelocity => "Present_Velocity",
            Self::PresentLoad => "Present_Load",
            Self::PresentPwm => "Present_PWM",
            Self::PresentVoltage => "Present_Voltage",
            Self::PresentTemperature => "Present_Temperature",
            Self::PresentCurrent => "Present_Current",
            Self::SyncWriteFlag => "Sync_Write_Flag",
            Self::Status => "Status",
            Self::GoalPosition2 => "Goal_Position_2",
            Self::VelocityTrajectory => "Velocity_Trajectory",
            Self::PositionTrajectory => "Position_Trajectory",
            Self::MovingVelocity => "Moving_Velocity",
            Self::MovingVelocityThreshold => "Moving_Velocity_Threshold",
            Self::Dts => "DTs",
            Self::VelocityUnitFactor => "Velocity_Unit_factor",
            Self::Hts => "Hts",
            Self::MaximumVelocityLimit => "Maximum_Velocity_Limit",
            Self::MinimumVelocity => "Minimum_Velocity",
            Self::MaximumAcceleration => "Maximum_Acceleration",
            Self::PwmMaximumStep => "PWM_Maximum_Step",
            Self::Acceleration2 => "Acceleration_2",
            Self::AccelerationMultiplier => "Acceleration_Multiplier",
        }
    }
}

/// One register of one series: a row of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Register {
    /// What it means.
    pub reg: Reg,
    /// Its first byte.
    pub address: u16,
    /// How many bytes: 1, 2 or 4.
    pub width: u8,
    /// How its sign travels.
    pub sign: Sign,
    /// Who may write it.
    pub access: Access,
    /// Where it is kept.
    pub store: Store,
}

/// A value that a register has no bits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfRange {
    /// Which register.
    pub reg: Reg,
    /// What was to be written.
    pub value: i64,
    /// The least it takes.
    pub min: i64,
    /// The most it takes.
    pub max: i64,
}

impl core::fmt::Display for OutOfRange {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { reg, value, min, max } = self;
        write!(f, "{value} does not fit {}, which takes {min} to {max}", reg.name())
    }
}

impl core::error::Error for OutOfRange {}

/// A row of a table: a setting that survives power loss.
pub const fn eeprom(reg: Reg, address: u16, width: u8) -> Register {
    Register {
        reg,
        address,
        width,
        sign: Sign::Unsigned,
        access: Access::ReadWrite,
        store: Store::Eeprom,
    }
}

/// A row of a table: a command or a reading, lost with the power.
pub const fn ram(reg: Reg, address: u16, width: u8) -> Register {
    Register { store: Store::Ram, ..eeprom(reg, address, width) }
}

impl Register {
    /// The row with its sign kept in `bit`.
    pub const fn magnitude(self, bit: u8) -> Self {
        Self { sign: Sign::Magnitude(bit), ..self }
    }

    /// The row in two's complement.
    pub const fn twos(self) -> Self {
        Self { sign: Sign::Twos, ..self }
    }

    /// The row as one that only the servo writes.
    pub const fn read_only(self) -> Self {
        Self { access: Access::ReadOnly, ..self }
    }

    /// The least and the most the register takes.
    pub const fn range(&self) -> (i64, i64) {
        let bits = self.width as u32 * 8;
        match self.sign {
            Sign::Unsigned => (0, (1i64 << bits) - 1),
            Sign::Magnitude(bit) => (-((1i64 << bit) - 1), (1i64 << bit) - 1),
            Sign::Twos => (-(1i64 << (bits - 1)), (1i64 << (bits - 1)) - 1),
        }
    }

    /// The value in the first `width` bytes, or `None` where there are fewer.
    pub fn decode(&self, order: ByteOrder, bytes: &[u8]) -> Option<i32> {
        let bytes = bytes.get(..usize::from(self.width))?;
        let join = |word: u32, byte: &u8| (word << 8) | u32::from(*byte);
        let word = match order {
            ByteOrder::Little => bytes.iter().rev().fold(0, join),
            ByteOrder::Big => bytes.iter().fold(0, join),
        };
        Some(match self.sign {
            Sign::Unsigned => i32::try_from(word).unwrap_or(i32::MAX),
            Sign::Magnitude(bit) => {
                let magnitude = (word & ((1u32 << bit) - 1)) as i32;
                if (word >> bit) & 1 == 1 { -magnitude } else { magnitude }
            }
            Sign::Twos => {
                let unused = 32 - u32::from(self.width) * 8;
                ((word << unused) as i32) >> unused
            }
        })
    }

    /// The bytes that carry `value`; the first `width` of them count.
    pub fn encode(&self, order: ByteOrder, value: i32) -> Result<[u8; 4], OutOfRange> {
        let (min, max) = self.range();
        if !(min..=max).contains(&i64::from(value)) {
            return Err(OutOfRange { reg: self.reg, value: i64::from(value), min, max });
        }
        let word = match self.sign {
            Sign::Magnitude(bit) if value < 0 => value.unsigned_abs() | (1u32 << bit),
            _ => value as u32,
        };
        Ok(match order {
            ByteOrder::Little => word.to_le_bytes(),
            ByteOrder::Big => (word << (32 - u32::from(self.width) * 8)).to_be_bytes(),
        })
    }
}

/// What is wrong with a servo, across all series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// The supply is outside the servo's limits.
    Voltage,
    /// The position sensor, or on Dynamixel the encoder.
    Angle,
    /// Too hot.
    Overheat,
    /// More current than allowed.
    Overcurrent,
    /// More load than allowed for too long: the torque is cut.
    Overload,
    /// The motor or its circuit (Dynamixel "electrical shock").
    Electrical,
    /// Dynamixel: the servo raises its hardware alert; the register says why.
    Alert,
    /// The request could not be carried out (instruction, checksum, range, length, access).
    Refused,
}

/// Every fault, in the order of its bit in [`Faults`].
pub const ALL_FAULTS: [Fault; 8] = [
    Fault::Voltage,
    Fault::Angle,
    Fault::Overheat,
    Fault::Overcurrent,
    Fault::Overload,
    Fault::Electrical,
    Fault::Alert,
    Fault::Refused,
];

/// A set of faults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Faults(u8);

impl Faults {
    /// Nothing wrong.
    pub const NONE: Self = Self(0);

    /// The error byte of a reply.
    pub const fn from_status(protocol: Protocol, error: u8) -> Self {
        match protocol {
            Protocol::Feetech0 | Protocol::Feetech1 => Self(
                bit(error & 1 != 0, Fault::Voltage)
                    | bit(error & 2 != 0, Fault::Angle)
                    | bit(error & 4 != 0, Fault::Overheat)
                    | bit(error & 8 != 0, Fault::Overcurrent)
                    | bit(error & 32 != 0, Fault::Overload),
            ),
            Protocol::Dynamixel2 => {
                Self(bit(error & 0x80 != 0, Fault::Alert) | bit(error & 0x7F != 0, Fault::Refused))
            }
        }
    }

    /// The Dynamixel register `Hardware_Error_Status`.
    pub const fn from_dynamixel_hardware(error: u8) -> Self {
        Self(
            bit(error & 1 != 0, Fault::Voltage)
                | bit(error & 4 != 0, Fault::Overheat)
                | bit(error & 8 != 0, Fault::Angle)
                | bit(error & 16 != 0, Fault::Electrical)
                | bit(error & 32 != 0, Fault::Overload),
        )
    }

    /// The error byte that a Feetech servo in this state sends.
    pub const fn to_feetech(self) -> u8 {
        (self.has(Fault::Voltage) as u8)
            | (self.has(Fault::Angle) as u8) << 1
            | (self.has(Fault::Overheat) as u8) << 2
            | (self.has(Fault::Overcurrent) as u8) << 3
            | (self.has(Fault::Overload) as u8) << 5
    }

    /// The register `Hardware_Error_Status` of a Dynamixel in this state.
    pub const fn to_dynamixel_hardware(self) -> u8 {
        (self.has(Fault::Voltage) as u8)
            | (self.has(Fault::Overheat) as u8) << 2
            | (self.has(Fault::Angle) as u8) << 3
            | (self.has(Fault::Electrical) as u8) << 4
            | (self.has(Fault::Overload) as u8) << 5
    }

    /// The set as a byte, a bit for each of [`ALL_FAULTS`].
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// The set that [`Faults::bits`] gave.
    pub const fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    /// Whether nothing is wrong.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this is wrong.
    pub const fn has(self, fault: Fault) -> bool {
        self.0 & (1 << fault as u8) != 0
    }

    /// This set and `fault`.
    #[must_use]
    pub const fn with(self, fault: Fault) -> Self {
        Self(self.0 | 1 << fault as u8)
    }

    /// This set less `fault`.
    #[must_use]
    pub const fn without(self, fault: Fault) -> Self {
        Self(self.0 & !(1 << fault as u8))
    }

    /// All that is wrong, one by one.
    pub fn iter(self) -> impl Iterator<Item = Fault> {
        ALL_FAULTS.into_iter().filter(move |fault| self.has(*fault))
    }
}

const fn bit(set: bool, fault: Fault) -> u8 {
    (set as u8) << fault as u8
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Voltage => "voltage",
            Self::Angle => "angle sensor",
            Self::Overheat => "overheat",
            Self::Overcurrent => "overcurrent",
            Self::Overload => "overload",
            Self::Electrical => "electrical shock",
            Self::Alert => "hardware alert",
            Self::Refused => "request refused",
        })
    }
}

impl core::fmt::Display for Faults {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        for (index, fault) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{fault}")?;
        }
        Ok(())
    }
}
