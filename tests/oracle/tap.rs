//! A serial port that keeps what is written and plays back an answer.

use std::io;
use std::time::Duration;

use serialport::{
    ClearBuffer, DataBits, Error, ErrorKind, FlowControl, Parity, Result, SerialPort, StopBits,
};

/// The port. Once the answer is used up, reading times out at once.
pub struct Tap {
    answer: io::Cursor<Vec<u8>>,
    written: Vec<u8>,
}

impl Tap {
    pub fn answering(answer: &[u8]) -> Self {
        Self { answer: io::Cursor::new(answer.to_vec()), written: Vec::new() }
    }

    pub fn written(self) -> Vec<u8> {
        self.written
    }
}

impl io::Read for Tap {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.answer.read(room)? {
            0 if !room.is_empty() => Err(io::ErrorKind::TimedOut.into()),
            bytes => Ok(bytes),
        }
    }
}

impl io::Write for Tap {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn no_line<T>() -> Result<T> {
    Err(Error::new(ErrorKind::Unknown, "a tap has no line settings"))
}

impl SerialPort for Tap {
    fn name(&self) -> Option<String> {
        None
    }
    fn baud_rate(&self) -> Result<u32> {
        Ok(1_000_000)
    }
    fn data_bits(&self) -> Result<DataBits> {
        no_line()
    }
    fn flow_control(&self) -> Result<FlowControl> {
        no_line()
    }
    fn parity(&self) -> Result<Parity> {
        no_line()
    }
    fn stop_bits(&self) -> Result<StopBits> {
        no_line()
    }
    fn timeout(&self) -> Duration {
        Duration::ZERO
    }
    fn set_baud_rate(&mut self, _: u32) -> Result<()> {
        Ok(())
    }
    fn set_data_bits(&mut self, _: DataBits) -> Result<()> {
        no_line()
    }
    fn set_flow_control(&mut self, _: FlowControl) -> Result<()> {
        no_line()
    }
    fn set_parity(&mut self, _: Parity) -> Result<()> {
        no_line()
    }
    fn set_stop_bits(&mut self, _: StopBits) -> Result<()> {
        no_line()
    }
    fn set_timeout(&mut self, _: Duration) -> Result<()> {
        Ok(())
    }
    fn write_request_to_send(&mut self, _: bool) -> Result<()> {
        no_line()
    }
    fn write_data_terminal_ready(&mut self, _: bool) -> Result<()> {
        no_line()
    }
    fn read_clear_to_send(&mut self) -> Result<bool> {
        no_line()
    }
    fn read_data_set_ready(&mut self) -> Result<bool> {
        no_line()
    }
    fn read_ring_indicator(&mut self) -> Result<bool> {
        no_line()
    }
    fn read_carrier_detect(&mut self) -> Result<bool> {
        no_line()
    }
    fn bytes_to_read(&self) -> Result<u32> {
        // The answer is not there before the request is written.
        Ok(0)
    }
    fn bytes_to_write(&self) -> Result<u32> {
        Ok(0)
    }
    fn clear(&self, _: ClearBuffer) -> Result<()> {
        Ok(())
    }
    fn try_clone(&self) -> Result<Box<dyn SerialPort>> {
        no_line()
    }
    fn set_break(&self) -> Result<()> {
        no_line()
    }
    fn clear_break(&self) -> Result<()> {
        no_line()
    }
}
