// Finished recordings: random access to verified bytes, films with and without their proof.
import Privet
import XCTest

extension Clip {
    fileprivate func whole() async throws -> Data {
        var data = Data()
        while case let piece = try await read(offset: UInt64(data.count), max: 4 << 20), !piece.isEmpty { data += piece }
        return data
    }

    /// Exactly so many bytes: a read may give fewer than it was asked for.
    fileprivate func exactly(_ range: Range<Int>) throws -> Data {
        var data = Data()
        while data.count < range.count {
            let piece = try readAt(offset: UInt64(range.lowerBound + data.count), max: UInt32(range.count - data.count))
            guard !piece.isEmpty else { throw InVain(description: "the end comes before the clip's length") }
            data += piece
        }
        return data
    }
}

final class ClipsTests: AtHome {
    func testRandomAccessGivesWhatReadingInOrderGives() async throws {
        let client = try await paired("reader")
        let clip = try await client.openClip(clipId: client.finishedClip().id)
        // A player reads here and there before all of it was fetched.
        let start = try await clip.read(offset: 0, max: 8)
        XCTAssertEqual(Data("ftyp".utf8), start[4..<8])
        let length = try await Int(clip.len())
        let data = try await clip.whole()
        XCTAssertEqual(length, data.count)
        XCTAssertEqual(clip.progress().ready, clip.progress().segments)
        XCTAssertGreaterThan(clip.progress().segments, 1, "a clip of one segment has no borders to read across")
        try await blocking {
            // Long and short pieces: with a thousand of them, every border between segments is crossed.
            var chance = SplitMix(state: 7)
            for _ in 0..<1000 {
                let at = Int.random(in: 0..<length, using: &chance)
                let range = at..<min(at + [1, 17, 4096, 300_000].randomElement(using: &chance)!, length)
                XCTAssertEqual(data[range], try clip.exactly(range))
            }
        }
        let after = try await clip.read(offset: UInt64(length), max: 10)
        XCTAssertTrue(after.isEmpty)
        clip.stop()
    }

    func testAFilmWithItsProofConvincesWhoNeverWasInTheHome() async throws {
        let client = try await paired("exporter")
        let known = try await client.finishedClip()
        let clip = try await client.openClip(clipId: known.id)
        let here = try await clip.verify()
        XCTAssertTrue(here.ok && here.signerKnown && here.framesChecked > 0, "\(here)")
        let (proven, bare) = (folder.appendingPathComponent("proven.mp4"), folder.appendingPathComponent("bare.mp4"))
        try await clip.exportTo(path: proven.path, withEvidence: true)
        try await clip.exportTo(path: bare.path, withEvidence: false)
        let roots = try client.trustRoots(cameraId: known.cameraId)
        let report = try verifyFile(path: proven.path, trustRoots: roots)
        XCTAssertTrue(report.ok && report.signerKnown, "\(report)")
        XCTAssertEqual(UInt64(clip.progress().segments), UInt64(report.segments))
        XCTAssertFalse(try verifyFile(path: proven.path, trustRoots: []).signerKnown)
        try await fails("Tampered") { try verifyFile(path: bare.path, trustRoots: roots) }
        var film = try Data(contentsOf: proven)
        film[film.range(of: Data("mdat".utf8))!.lowerBound + 100] ^= 1
        XCTAssertFalse(try verifyBytes(data: film, trustRoots: roots).ok)
        clip.stop()
    }

    func testPagesHoldEachClipOnce() async throws {
        let client = try await paired("pager")
        _ = try await client.finishedClip(besides: [client.finishedClip()])
        let every = try await client.newest().map(\.id)
        var paged: [String] = []
        var page: String?
        repeat {
            let part = try await client.clips(cameraId: nil, fromMs: 0, toMs: ever, page: page, limit: 1)
            paged += part.clips.map(\.id)
            page = part.next
        } while page != nil
        // A recording may have begun meanwhile.
        XCTAssertEqual(every, paged.filter(every.contains))
    }

    func testArgumentsThatMakeNoSenseAreRefused() async throws {
        let client = try await paired("confused")
        try await fails("NotFound") { try await client.openClip(clipId: nobody) }
        try await fails("Invalid") { try await client.clips(cameraId: nil, fromMs: 0, toMs: ever, page: "no page of ours", limit: 10) }
    }
}

/// The same choices every time.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }
}
