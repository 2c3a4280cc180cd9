// The guide's code (Guide.swift), run. That docs/guide/write-an-app.md holds the same text, Python's test_guide.py looks.
import Privet
import XCTest

final class GuideTests: AtHome {
    func testTheGuidesCodeWorks() async throws {
        try await guide(code: house.offer(), folder: folder)
        // The guide says itself whether it is proven, to whom knows the home's keys; here nobody does any more.
        let report = try verifyFile(path: folder.appendingPathComponent("clip.mp4").path, trustRoots: [])
        XCTAssertGreaterThan(report.framesChecked, 0)
    }
}
