// A camera now: pictures in order, a key frame first, and a verdict on each segment; for players and for decoders.
import Privet
import XCTest

final class LiveTests: AtHome {
    /// Watches for a while, and gives the header and the pictures.
    private func advances(_ format: LiveFormat) async throws -> (header: Data, pictures: [Data]) {
        let client = try await paired("viewer \(format)")
        // The stream is there already: a view may begin just as the hub ends that of a test before.
        let held = try await client.live(format)
        _ = try await held.take { $0.filter(\.verified).count >= 2 }
        let live = try await client.live(format)
        // Two segments' verdicts: the second is of a segment that was seen from its beginning.
        let seen = try await live.take { $0.filter(\.verified).count >= 2 }
        guard case .format(let codec, let width, let height, _, _, let header) = seen[0] else { throw InVain(description: "first is \(seen[0])") }
        XCTAssertTrue(codec.hasPrefix("avc1."))
        XCTAssertEqual([640, 360], [width, height])
        let pictures = seen.compactMap(\.picture)
        XCTAssertTrue(pictures[0].key, "decoding can begin with the first picture")
        XCTAssertTrue(pictures.allSatisfy { $0.trust == .pending })
        XCTAssertFalse(seen.contains { if case .gap = $0 { true } else { false } })
        XCTAssertEqual(Array(pictures[0].frame...pictures.last!.frame), pictures.map(\.frame))
        XCTAssertTrue(zip(pictures, pictures.dropFirst()).allSatisfy { $0.ptsUs < $1.ptsUs })
        let covered = seen.filter(\.verified).compactMap(\.segment)
        XCTAssertTrue(pictures.contains { picture in covered.contains { $0.first <= picture.frame && picture.frame <= $0.last } })
        XCTAssertGreaterThanOrEqual(live.stats().verified, 2)
        XCTAssertEqual(0, live.stats().broken)
        live.stop()
        held.stop()
        return (header, pictures.map(\.data))
    }

    func testPlayersGetAnInitSegmentAndFragments() async throws {
        let (header, pictures) = try await advances(.fmp4)
        XCTAssertEqual(Data("ftyp".utf8), header[4..<8])
        XCTAssertTrue(pictures.allSatisfy { $0[4..<8] == Data("moof".utf8) })
    }

    func testDecodersGetAConfigurationRecordAndAccessUnits() async throws {
        let (header, pictures) = try await advances(.accessUnits)
        XCTAssertEqual(1, header.first)
        for picture in pictures {
            // Each NAL unit stands behind four bytes of length.
            var rest = picture[...]
            while rest.count >= 4 {
                let length = rest.prefix(4).reduce(0) { $0 << 8 | Int($1) }
                XCTAssertLessThanOrEqual(4 + length, rest.count, "a NAL unit ends within its picture")
                rest = rest.dropFirst(4 + length)
            }
            XCTAssertTrue(rest.isEmpty)
        }
    }

    func testADecodersThreadPullsWithTheBlockingTwin() async throws {
        let live = try await paired("decoder").live()
        let pictures = try await blocking {
            // So many items, idle ones included: a minute at most.
            var pictures: [LiveItem] = []
            for _ in 0..<60 where pictures.count < 10 {
                let item = try live.nextBlocking(waitMs: 1000)
                if item.picture != nil { pictures.append(item) }
            }
            return pictures
        }
        XCTAssertEqual(10, pictures.count)
        XCTAssertTrue(pictures[0].picture!.key)
        live.stop()
    }

    func testAViewIsASequenceThatEndsWithIt() async throws {
        let live = try await paired("flowing").live()
        var seen: [LiveItem] = []
        for try await item in live.items() {
            seen.append(item)
            if item.verified { live.stop() }
        }
        guard case .format = seen[0] else { return XCTFail("first is \(seen[0])") }
        XCTAssertTrue(seen.contains(where: \.verified))
        // What was stopped gives nothing more, and no error.
        for try await item in live.items() { XCTFail("\(item)") }
    }

    func testACameraThatGoesAndComesIsToldAndShownAgain() async throws {
        let client = try await paired("patient")
        let camera = try await client.cameras()[0].id
        let live = try await client.live()
        let last = try await live.take { $0.last!.picture != nil }.last!.picture!.frame
        func state(_ wanted: Bool) async throws {
            try await client.event("online: \(wanted)") { if case .cameraState(camera, wanted) = $0 { () } else { nil } }
        }
        try await house.without("camera") { try await state(false) }
        try await state(true)
        let seen = try await live.take { $0.last!.verified && $0.last!.segment!.first > last }
        XCTAssertTrue(seen.contains { $0.picture?.key == true })
        live.stop()
    }

    func testAnUnknownCameraIsNotFound() async throws {
        let client = try await paired("wrong")
        try await fails("NotFound") { try await client.openLive(cameraId: nobody, format: .fmp4, bufferMs: 500) }
    }
}
