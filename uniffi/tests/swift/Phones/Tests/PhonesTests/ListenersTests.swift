// Listeners as apps write them: one that is slow, one that goes. Nothing hangs.
import Privet
import XCTest

/// What was said to an object of the app, on the library's thread.
final class Told<T>: @unchecked Sendable {
    private let lock = NSLock()
    private var kept: [T] = []

    func add(_ what: T) {
        lock.lock()
        defer { lock.unlock() }
        kept.append(what)
    }

    var all: [T] {
        lock.lock()
        defer { lock.unlock() }
        return kept
    }
}

final class ListenersTests: AtHome {
    private final class Listener: EventListener, @unchecked Sendable {
        private let told = Told<Event>()
        private let gate: DispatchSemaphore?

        init(waitsAt gate: DispatchSemaphore? = nil) {
            self.gate = gate
        }

        func onEvent(event: Event) {
            told.add(event)
            _ = gate?.wait(timeout: .now() + soon)
        }

        var count: Int { told.all.count }

        func heard(_ name: String) -> Bool {
            told.all.contains { if case .devicesChanged(let what) = $0 { what.contains(name) } else { false } }
        }

        func hears(_ name: String) async throws {
            try await until("word of \(name)") { heard(name) ? () : nil }
        }
    }

    func testASlowListenerHoldsUpNobodyAndIsToldAll() async throws {
        let gate = DispatchSemaphore(value: 0)
        let client = try await paired("slow")
        let listener = Listener(waitsAt: gate)
        client.setListener(listener: listener)
        _ = try await paired("while it sleeps")
        // It sits in its first event. Calls answer, and who pulls has everything.
        let synced = try await client.waitSynced(waitMs: 30_000)
        XCTAssertTrue(synced)
        try await client.hears(of: "while it sleeps")
        XCTAssertLessThanOrEqual(listener.count, 1)
        for _ in 0..<1000 { gate.signal() }
        try await listener.hears("while it sleeps")
        client.setListener(listener: nil)
    }

    func testAListenerThatWentIsNotCalledAnyMore() async throws {
        let client = try await paired("quiet")
        let (gone, stays) = (Listener(), Listener())
        client.setListener(listener: gone)
        client.setListener(listener: stays)
        _ = try await paired("newcomer")
        try await stays.hears("newcomer")
        XCTAssertFalse(gone.heard("newcomer"))
        client.setListener(listener: nil)
    }

    func testAListenerIsLetGoOf() async throws {
        let client = try await paired("thrifty")
        weak var gone: Listener?
        do {
            let listener = Listener()
            gone = listener
            client.setListener(listener: listener)
        }
        client.setListener(listener: nil)
        try await until("its end") { gone == nil ? () : nil }
    }

    func testEventsAreASequenceThatEndsWithTheClient() async throws {
        let phone = phone("flowing")
        let client = try await pair(phone)
        _ = try await paired("someone")
        for try await event in client.events() {
            if case .devicesChanged(let what) = event, what.contains("someone") { break }
        }
        let all = Task { for try await _ in client.events() {} }
        try await phone.shut()
        try await outcome(of: all, within: 5).get()
    }
}
