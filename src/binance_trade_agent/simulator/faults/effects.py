"""What faults do by themselves: to sockets, and to the state of the exchange."""

from dataclasses import dataclass

from binance_trade_agent.simulator.faults.kinds import Fault, Occasion, SocketFault
from binance_trade_agent.simulator.faults.sockets import SocketFaults
from binance_trade_agent.simulator.faults.state import StateFaults


@dataclass(frozen=True, slots=True)
class FaultEffects:
    """See register.py, Effects."""

    sockets: SocketFaults
    state: StateFaults

    def begin(self, fault: Fault, occasion: Occasion | None) -> None:
        """Let it happen; `occasion` is what it met, None when it happens by itself."""
        if isinstance(fault, SocketFault):
            self.sockets.begin(fault, occasion)
        else:
            self.state.begin(fault)

    def end(self, fault: Fault) -> None:
        """Undo a fault that lasts."""
        if isinstance(fault, SocketFault):
            self.sockets.end(fault)
        else:
            self.state.end(fault)
