import Foundation
import Observation
import Privet

public enum Row: Equatable, Identifiable, Sendable {
    /// `place` is where the day begins in the list: a day may stand there twice.
    case day(Date, place: Int)
    case recorded(ClipInfo)

    public var id: String {
        switch self {
        case .day(_, let place): "day \(place)"
        case .recorded(let clip): clip.id
        }
    }
}

/// The clips of a camera, or of all, page by page, newest first.
@MainActor @Observable
public final class Timeline {
    public private(set) var clips: [ClipInfo] = []
    public private(set) var problem: Advice?
    private var next: String?
    private var loaded = false
    private var loading: Task<Void, Never>?
    private let home: any Home
    private let camera: String?
    private let page = 50

    public init(_ home: any Home, camera: String? = nil) { (self.home, self.camera) = (home, camera) }

    /// Nothing follows.
    public var whole: Bool { loaded && next == nil }

    /// With a heading wherever the day changes. The order is the home's log, never sorted by time: a hub's clock can be set back,
    /// and then a day stands there twice, as it happened.
    public func rows(_ calendar: Calendar = .current) -> [Row] {
        var day: Date?
        var rows: [Row] = []
        for (place, clip) in clips.enumerated() {
            let date = calendar.startOfDay(for: Date(timeIntervalSince1970: Double(clip.startMs) / 1000))
            if date != day { rows.append(.day(date, place: place)) }
            day = date
            rows.append(.recorded(clip))
        }
        return rows
    }

    /// The next page; nothing at the end.
    public func more() async { await inTurn { if !self.whole { await self.load(self.next, self.page, self.clips) } } }

    /// As much as is on the screen once more, and what is new before it; 500 is what the library gives at most.
    public func refresh() async { await inTurn { await self.load(nil, min(max(self.clips.count, self.page), 500), []) } }

    /// Whether it had to do with clips is decided here, so a screen passes on every event.
    public func on(_ event: Event) async {
        switch event {
        case .clipStarted, .clipReady, .clipNotes, .missed: await refresh()
        case .clipsForgotten(let gone): await inTurn { self.clips.removeAll { gone.contains($0.id) } }
        default: break
        }
    }

    private func load(_ from: String?, _ limit: Int, _ before: [ClipInfo]) async {
        do {
            let got = try await home.clips(camera: camera, page: from, limit: limit)
            (clips, next, loaded, problem) = (before + got.clips, got.next, true, nil)
        } catch {
            problem = advice(error)
        }
    }

    /// One after the other: two pages that come at once would be the same page.
    private func inTurn(_ work: @escaping @MainActor () async -> Void) async {
        let before = loading
        let mine = Task {
            await before?.value
            await work()
        }
        loading = mine
        await mine.value
    }
}
