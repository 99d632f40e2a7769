//! Pictures in the memory of a graphics processor: VA-API's encoders take no others.

use std::ptr;

use ffmpeg_next::encoder::video::Video;
use ffmpeg_next::format::Pixel;
use ffmpeg_next::util::error::ENOMEM;
use ffmpeg_next::{Error, ffi, frame};

/// How many pictures the encoder may have at once.
const POOL: i32 = 20;

/// A reference to something of FFmpeg's that counts its references.
struct Reference(*mut ffi::AVBufferRef);

// SAFETY: the count is atomic, and what is referred to is locked by FFmpeg where it is shared.
unsafe impl Send for Reference {}

impl Drop for Reference {
    fn drop(&mut self) {
        // SAFETY: the reference is ours; there is none where FFmpeg gave none.
        unsafe { ffi::av_buffer_unref(&raw mut self.0) }
    }
}

/// Where an encoder's pictures are copied before it takes them.
pub struct Graphics(Reference);

impl Graphics {
    /// Opens the system's VA-API device, and tells the encoder to take its pictures from there.
    pub fn begin(video: &mut Video, width: u32, height: u32) -> Result<Self, Error> {
        let kind = ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_VAAPI;
        let mut device = Reference(ptr::null_mut());
        // SAFETY: FFmpeg puts a reference into the pointer, or leaves it null and says why. Without a
        // name it takes the device that the system gives to everybody.
        let made = unsafe {
            let no_name = ptr::null();
            ffi::av_hwdevice_ctx_create(&raw mut device.0, kind, no_name, ptr::null_mut(), 0)
        };
        checked(made)?;
        // SAFETY: the device is there; what comes back is a reference of ours, or null.
        let frames = Reference(unsafe { ffi::av_hwframe_ctx_alloc(device.0) });
        if frames.0.is_null() {
            return Err(Error::Other { errno: ENOMEM });
        }
        let size = |side: u32| i32::try_from(side).unwrap_or(i32::MAX);
        // SAFETY: the data of such a reference is this structure, which may be filled in until it is
        // initialised. The encoder gets a reference of its own, and frees it.
        let made = unsafe {
            let all: *mut ffi::AVHWFramesContext = (*frames.0).data.cast();
            (*all).format = ffi::AVPixelFormat::AV_PIX_FMT_VAAPI;
            (*all).sw_format = ffi::AVPixelFormat::AV_PIX_FMT_NV12;
            (*all).width = size(width);
            (*all).height = size(height);
            (*all).initial_pool_size = POOL;
            let made = ffi::av_hwframe_ctx_init(frames.0);
            if made >= 0 {
                (*video.as_mut_ptr()).hw_frames_ctx = ffi::av_buffer_ref(frames.0);
            }
            made
        };
        checked(made)?;
        video.set_format(Pixel::VAAPI);
        Ok(Self(frames))
    }

    /// A copy of the picture over there.
    pub fn copied(&self, picture: &frame::Video) -> Result<frame::Video, Error> {
        let mut there = frame::Video::empty();
        // SAFETY: both frames and the pool are there; the new frame is empty, as FFmpeg wants it.
        unsafe {
            checked(ffi::av_hwframe_get_buffer(self.0.0, there.as_mut_ptr(), 0))?;
            checked(ffi::av_hwframe_transfer_data(there.as_mut_ptr(), picture.as_ptr(), 0))?;
        }
        there.set_pts(picture.pts());
        Ok(there)
    }
}

fn checked(code: i32) -> Result<(), Error> {
    if code < 0 { Err(Error::from(code)) } else { Ok(()) }
}
