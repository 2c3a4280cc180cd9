// A hub that was restarted, in a house of its own: a hub that comes back while the box crosses takes its place for
// moving for a minute (docs/design/0009-motion.md), and one long motion is not what the other tests are about.
import Privet
import XCTest

final class RestartTests: AtHome {
    func testAHubThatWasRestartedIsTrustedAsBefore() async throws {
        let client = try await paired("loyal")
        let number = try await client.safetyNumber()
        try await house.without("hub") {}
        let live = try await until("a live view") {
            do { return try await client.live() } catch CoreError.Timeout, CoreError.Network { return nil }
        }
        try await live.take { $0.last!.verified }
        live.stop()
        let (after, alerts) = try await (client.safetyNumber(), client.status().alerts)
        XCTAssertEqual(number, after)
        XCTAssertTrue(alerts.isEmpty, "\(alerts)")
    }
}
