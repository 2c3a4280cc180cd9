// A relay that changes what it passes on: nothing of it is shown as verified, the person is told, and the truth is taken afterwards.
import Privet
import XCTest

final class TamperingTests: AtHome {
    /// The relay that can be told to tamper stands before the phones.
    override class var words: [String] { [] }

    /// An app's log.
    private final class Sink: LogSink, @unchecked Sendable {
        let lines = Told<String>()
        func log(level: LogLevel, target: String, line: String) { lines.add("\(level) \(target): \(line)") }
    }

    func testAClipThatWasChangedIsRefusedAndTheTrueOneIsTaken() async throws {
        let client = try await paired("collector")
        let known = try await client.finishedClip()
        let sink = Sink()
        try setLogSink(sink: sink, least: .warn)
        try await house.tampering {
            try await fails("Tampered") { try await client.openClip(clipId: known.id).len() }
            let alert = try await client.event("an alert") { if case .trustAlert(let what) = $0 { what } else { nil } }
            XCTAssertTrue(alert.contains("does not verify"), alert)
            let alerts = try await client.status().alerts.map(\.what)
            XCTAssertTrue(alerts.contains(alert), "\(alerts)")
            // The same is in the app's log.
            try await until("its line") { sink.lines.all.contains { $0.hasPrefix("warn privet::trust: ") } ? () : nil }
        }
        try setLogSink(sink: nil, least: .error)
        let report = try await client.openClip(clipId: known.id).verify()
        XCTAssertTrue(report.ok, "\(report)")
    }

    func testLivePicturesThatWereChangedAreNeverCalledVerified() async throws {
        let client = try await paired("watcher")
        let live = try await client.watch()
        func told(_ item: LiveItem) -> Bool {
            if case .gap(_, _, .failedVerification) = item { return true }
            if case .broken = item.segment?.trust { return true }
            return false
        }
        try await house.tampering {
            // What was on its way before is true still; then one that was changed has its verdict, or is missing and told.
            let seen = try await live.take { told($0.last!) }
            // From then on no segment is called verified: each one is changed.
            let more = try await seen.drop { !told($0) } + live.take { $0.filter(told).count >= 2 }
            XCTAssertFalse(more.contains(where: \.verified))
            XCTAssertTrue(more.compactMap(\.picture).allSatisfy { $0.trust == .pending })
            try await until("the alert") { try await client.status().alerts.first { $0.what.contains("does not verify") } }
            XCTAssertGreaterThan(live.stats().broken, 0)
        }
        try await live.take { $0.last!.verified }
        live.stop()
    }
}
