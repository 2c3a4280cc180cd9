// Live views and events as asynchronous sequences: what Swift does differently. Everything else of this module is generated.
import Foundation

extension Live {
    /// The view until its end, which is the last item. Pulled: who iterates slowly is told gaps, and nothing piles up.
    public func items() -> AsyncThrowingStream<LiveItem, Error> {
        AsyncThrowingStream(unfolding: {
            while true {
                guard let item = try await untilStopped({ try await self.next(waitMs: waitMs) }) else { return nil }
                if case .idle = item { continue }
                return item
            }
        })
    }
}

extension Client {
    /// What happens, until the client is shut down. Each event goes to one iteration.
    public func events() -> AsyncThrowingStream<Event, Error> {
        AsyncThrowingStream(unfolding: {
            while true {
                guard let event = try await untilStopped({ try await self.nextEvent(waitMs: waitMs) }) else { return nil }
                if let event { return event }
            }
        })
    }
}

private let waitMs: UInt32 = 60_000

/// Nothing after `stop` or `shutDown`: that is how both sequences end.
private func untilStopped<T>(_ call: () async throws -> T) async throws -> T? {
    do {
        return try await call()
    } catch CoreError.Stopped {
        return nil
    }
}
