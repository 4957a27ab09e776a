"""A simulated camera: what its lens sees and its hardware suffers, told over ONVIF and streamed over RTSP."""

from simulators.camera.model import Position
from simulators.camera.quirks import Quirks
from simulators.camera.simulator import CameraSimulator

__all__ = ["CameraSimulator", "Position", "Quirks"]
