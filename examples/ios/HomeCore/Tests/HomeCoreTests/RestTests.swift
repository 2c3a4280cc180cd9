import Foundation
import Privet
import Testing

@testable import HomeCore

struct ClipBytesTests {
    private let film = Data((0..<600_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) })

    @Test("from any position to the end, and no more than was asked for")
    func ranges() throws {
        for (position, length) in [(0, Int.max), (1, 10), (262_144, 262_145), (599_999, 5), (600_000, 1)] {
            var got = Data()
            try ClipBytes(FakeRecording(film)).read(from: position, length: length, wanted: { true }, give: { got += $0 })
            let end = min(film.count, position + min(length, film.count - position))
            #expect(got == film.subdata(in: position..<end))
        }
    }

    @Test("whoever wants no more is given no more")
    func cancelled() throws {
        let recording = FakeRecording(film)
        var pieces = 0
        try ClipBytes(recording).read(from: 0, length: .max, wanted: { pieces < 1 }, give: { _ in pieces += 1 })
        #expect(recording.reads.count == 1)
    }
}

struct NotificationTests {
    private let desk = NotificationDesk(aFolder())

    private func deliver(_ id: String, _ counter: UInt64, stale: Bool = false) -> NotificationDecision {
        desk.deliver(aNotification(id, counter: counter, stale: stale)) { _ in }
    }

    @Test("the same one by two ways is shown once, more about it takes its place, less does not")
    func once() {
        #expect(deliver("a1", 5) == .show(Card(aNotification("a1"))))
        #expect(deliver("a1", 5) == .drop(.shown))
        #expect(deliver("a1", 7) == .replace(Card(aNotification("a1"))))
        #expect(deliver("a1", 6) == .drop(.shown))
    }

    @Test("one of another day alarms nobody")
    func stale() {
        #expect(deliver("a1", 1, stale: true) == .drop(.stale))
        #expect(desk.untold().isEmpty)
    }

    @Test("what the extension showed, the app tells the library once")
    func told() {
        _ = deliver("a1", 1)
        _ = deliver("b2", 1)
        desk.told("a1")
        #expect(desk.untold() == ["b2"])
        #expect(deliver("a1", 1) == .drop(.shown))
    }

    @Test("an id is never a path")
    func names() {
        _ = deliver("../a1", 1)
        #expect(desk.untold().isEmpty)
    }

    @Test("the list does not grow for ever")
    func bounded() {
        for at in 0..<310 { _ = deliver(String(format: "%04x", at), 1) }
        #expect(desk.untold().count == 300)
    }

    @Test("a push message is opened with the keys alone")
    func door() {
        let keys = NotificationKeys(secret: Data(count: 32), hub: Data(count: 32))
        func arrives(_ payload: Data, _ keys: NotificationKeys?, _ opened: @escaping () throws -> Privet.Notification) -> Arrived {
            PushDoor(desk, keys: { keys }, open: { _, _, _ in try opened() }).arrived(payload, nowMs: 0) { _ in }
        }
        #expect(arrives(Data([1]), keys) { aNotification("a1") } == .decided(.show(Card(aNotification("a1")))))
        #expect(arrives(Data(), keys) { aNotification("a1") } == .call)
        #expect(arrives(Data([1]), nil) { aNotification("a1") } == .unopened("no keys yet"))
        #expect(arrives(Data([1]), keys) { throw CoreError.Tampered(reason: "forged") } == .unopened("This was changed on its way and is not shown."))
    }
}

struct SyncTests {
    private let desk = NotificationDesk(aFolder())
    private let home = FakeHome()

    @Test("says what was shown, asks for events, catches up, and takes what comes")
    func order() async {
        desk.deliver(aNotification("a1")) { _ in }
        var left: [Event] = [.camerasChanged, .notified(notification: aNotification("b2")), .notified(notification: aNotification("a1"))]
        // Notifications come only after the log, as from a real relay.
        home.events = { [home] _ in home.asked.contains("synced") && !left.isEmpty ? left.removeFirst() : nil }
        var seen = 0
        #expect(await sync(home, desk, budgetMs: 8_000) { _ in seen += 1 } == .done)
        #expect(home.asked.prefix(4) == ["shown a1", "event 0", "synced", "event 2000"])
        #expect(seen == 1 && desk.untold() == ["b2"])
    }

    @Test("only what passes is tried again")
    func outcomes() async {
        let cases: [(CoreError, SyncResult)] = [
            (.Network(reason: "no route", retryAfterMs: nil), .again), (.Busy, .again), (.Background, .again),
            (.Revoked, .never), (.NotPaired, .never), (.KeyLost(reason: "gone"), .never),
        ]
        for (error, result) in cases {
            home.synced = { throw error }
            #expect(await sync(home, desk, budgetMs: 1) { _ in } == result)
        }
    }
}

@MainActor
struct ModelTests {
    private let home = FakeHome()

    private func until(_ what: () -> Bool) async {
        for _ in 0..<1_000 where !what() { try? await Task.sleep(for: .milliseconds(10)) }
        #expect(what())
    }

    @Test("what there is is read at the start and after every event; a notification is shown before the listener returns")
    func model() async {
        home.statusOf = { aStatus() }
        home.camerasOf = { [aCamera("gate")] }
        let shown = Box([String]())
        let model = HomeModel(home) { shown.value.append($0.eventId) }
        model.start()
        await until { model.cameras.map(\.id) == ["gate"] }
        home.camerasOf = { [aCamera("gate"), aCamera("door")] }
        home.listener?(.camerasChanged)
        await until { model.cameras.count == 2 }
        home.listener?(.notified(notification: aNotification("a1")))
        #expect(shown.value == ["a1"])
        home.listener?(.devicesChanged(what: "Bob's phone joined"))
        await until { model.news == ["Bob's phone joined"] }
        home.statusOf = { aStatus(paired: false) }
        home.listener?(.removed)
        await until { !model.paired && model.cameras.isEmpty }
    }

    @Test("page after page until the end; what is new comes in front; what the hub forgot is gone")
    func timeline() async {
        var clips = (1...120).reversed().map { aClip("\($0)") }
        home.pages = { page, limit in
            let from = page.flatMap { Int($0) } ?? 0
            let to = min(clips.count, from + limit)
            return Page(clips: Array(clips[from..<to]), next: to < clips.count ? "\(to)" : nil)
        }
        let timeline = Timeline(home)
        for _ in 0..<4 { await timeline.more() }
        #expect(timeline.whole && timeline.clips.count == 120)
        clips.insert(aClip("121"), at: 0)
        await timeline.on(.clipReady(clipId: "121", cameraId: "gate"))
        #expect(timeline.clips.first?.id == "121")
        await timeline.on(.clipsForgotten(clipIds: ["121", "119"]))
        #expect(timeline.clips.prefix(2).map(\.id) == ["120", "118"])
    }

    @Test("a heading wherever the day changes, also when a clock went back")
    func days() async {
        let day: Int64 = 86_400_000
        home.pages = { _, _ in Page(clips: [aClip("c", startMs: 2 * day), aClip("b", startMs: day), aClip("a", startMs: 2 * day)], next: nil) }
        let timeline = Timeline(home)
        await timeline.more()
        var utc = Calendar(identifier: .gregorian)
        utc.timeZone = .gmt
        #expect(timeline.rows(utc).map(\.id) == ["day 0", "c", "day 1", "b", "day 2", "a"])
    }

    @Test("a wish that the hub has not heard yet is no failure")
    func wishes() async {
        #expect(await say {} == .kept)
        #expect(await say { throw CoreError.Timeout(what: "the hub") } == .waits("the hub"))
        #expect(await say { throw CoreError.Invalid(reason: "no") } == .failed(Advice("no", .nothing)))
    }
}

struct DoorkeeperTests {
    @Test("opened once, let go of after each use, and a worker beside the screen opens and closes nothing")
    func uses() async throws {
        let home = FakeHome()
        let door = Doorkeeper { home }
        try await door.use { _ in try await door.use { _ in home.asked.append("worker") } }
        try await door.use { _ in home.asked.append("again") }
        #expect(home.asked == ["worker", "background", "foreground", "again", "background"])
    }

    @Test("who fails or is cancelled lets go all the same")
    func fails() async throws {
        let home = FakeHome()
        let door = Doorkeeper { home }
        await #expect(throws: CoreError.Stopped) { try await door.use { _ in throw CoreError.Stopped } }
        let screen = Task { try await door.use { _ in try await Task.sleep(for: .seconds(60)) } }
        screen.cancel()
        _ = await screen.result
        #expect(home.asked.last == "background")
    }
}

struct WordsTests {
    @Test("trust names the signer, and never says more than is known")
    func trust() {
        #expect(explain(Trust.verified(signer: "ab12 cd34 ef56", leaseUntilMs: nil)).contains("ab12 cd34"))
        #expect(!explain(Trust.pending).contains("Signed"))
    }

    @Test("lost for good is another thing than not now")
    func keychain() {
        #expect(advice(CoreError.KeyLost(reason: "")).then == .startOver)
        #expect(advice(CoreError.Keystore(reason: "", userCancelled: true)).text == "Cancelled.")
    }
}
