import Foundation
import Observation
import Privet

/// Keeps true what every screen sees of the home. Events say only *that* something changed; what there is, is always read from
/// the library, so nothing can drift apart, and a burst of events costs one reading.
@MainActor @Observable
public final class HomeModel {
    /// Nil until it was read.
    public private(set) var status: Status?
    public private(set) var cameras: [Camera] = []
    /// What happened last, newest first: also what no push service brought.
    public private(set) var lately: [EventInfo] = []
    /// Who joined or left since the app was opened, newest last. To be shown: an unexpected join is how a stolen code is noticed.
    public private(set) var news: [String] = []
    public private(set) var problem: Advice?
    /// Told to whoever needs each: a timeline that is open.
    public var onEvent: ((Event) -> Void)?
    /// The phone belongs to a home: at the start, or since it was paired.
    public var onPaired: (() -> Void)?

    private let home: any Home
    private let notify: @Sendable (Privet.Notification) -> Void
    private var reading: Task<Void, Never>?
    private var changed = false

    public init(_ home: any Home, notify: @escaping @Sendable (Privet.Notification) -> Void) { (self.home, self.notify) = (home, notify) }

    public var paired: Bool { status?.paired == true }

    public func start() {
        home.listen { [weak self, notify] event in
            // On the library's thread. A notification counts as seen when this returns, so it is shown before.
            if case .notified(let notification) = event { notify(notification) }
            Task { @MainActor [weak self] in self?.on(event) }
        }
        refresh()
    }

    /// From here on notifications are left to the relay, which wakes this phone.
    public func stop() { home.listen(nil) }

    public func refresh() {
        changed = true
        guard reading == nil else { return }
        reading = Task {
            while changed {
                changed = false
                await read()
            }
            reading = nil
        }
    }

    private func on(_ event: Event) {
        switch event {
        case .devicesChanged(let what): say(what)
        case .rejoined: say("This phone had fallen behind and was let in again; it missed what was in between.")
        default: break
        }
        onEvent?(event)
        refresh()
    }

    private func say(_ what: String) { news = Array((news + [what]).suffix(20)) }

    private func read() async {
        do {
            let status = try await home.status()
            let cameras = status.paired ? try await home.cameras() : []
            let lately = status.paired ? try await home.happened(limit: 50) : []
            let joined = status.paired && !paired
            (self.status, self.cameras, self.lately, problem) = (status, cameras, lately, nil)
            if joined { onPaired?() }
        } catch CoreError.Background {
            // What is here stays on the screen that nobody sees; coming back reads anew.
        } catch {
            problem = advice(error)
        }
    }
}

/// How a wish that was said to the hub came out.
public enum Said: Equatable, Sendable {
    case kept
    /// No failure: it stands, is shown as pending, and takes effect when the hub hears of it.
    case waits(String)
    case failed(Advice)
}

@MainActor
public func say(_ wish: () async throws -> Void) async -> Said {
    do {
        try await wish()
        return .kept
    } catch CoreError.Timeout(let what) {
        return .waits(what)
    } catch {
        return .failed(advice(error))
    }
}
