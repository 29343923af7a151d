package ffmpeg

import (
	"testing"
	"time"
)

func TestParseProbe(t *testing.T) {
	const answer = `{"streams": [
		{"index": 0, "codec_type": "video", "codec_name": "mjpeg", "width": 600, "height": 600, "disposition": {"attached_pic": 1}},
		{"index": 1, "codec_type": "audio", "start_time": "1.5", "duration": "10.0"},
		{"index": 2, "codec_type": "video", "codec_name": "h264", "width": 720, "height": 576, "sample_aspect_ratio": "64:45",
			"start_time": "1.4", "tags": {"DURATION": "01:02:03.500000000"}, "side_data_list": [{"side_data_type": "x"}, {"rotation": -90}]},
		{"index": 3, "codec_type": "audio"}],
		"format": {"start_time": "1.4", "duration": "12.25"}}`
	info, err := parseProbe([]byte(answer))
	if err != nil {
		t.Fatal(err)
	}
	want := Video{W: 720, H: 576, Wide: 64. / 45, Turn: 1, End: time.Hour + 2*time.Minute + 3500*time.Millisecond, index: 2}
	if *info.Video != want || *info.Sound != (Sound{End: 10100 * time.Millisecond, index: 1}) || info.Duration != 12250*time.Millisecond {
		t.Errorf("%+v %+v %v", *info.Video, *info.Sound, info.Duration)
	}
	for answer, want := range map[string]int{
		`"side_data_list": [{"rotation": 90}]`:   3,
		`"side_data_list": [{"rotation": 180}]`:  2,
		`"side_data_list": [{"rotation": -270}]`: 3,
		`"side_data_list": [{"rotation": 7}]`:    0,
		`"tags": {"rotate": "90"}`:               1,
		`"side_data_list": [{"rotation": 1e99}]`: 0,
	} {
		info, err := parseProbe([]byte(`{"streams": [{"codec_type": "video", "width": 2, "height": 2, ` + answer + `}]}`))
		if err != nil || info.Video.Turn != want {
			t.Errorf("%s: %v, %v; want %d", answer, info, err, want)
		}
	}
	for _, bad := range []string{``, `{}`, `{"streams": [{"codec_type": "data"}]}`, `{"streams": [{"codec_type": "video"}]}`} {
		if info, err := parseProbe([]byte(bad)); err == nil {
			t.Errorf("%s: %+v", bad, info)
		}
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	in := &Input{path: "p.mp4"}
	var s tail
	if got := s.last(in); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	for range 1000 {
		if n, err := s.Write([]byte("a line of no interest\n")); n != 22 || err != nil {
			t.Fatal(n, err)
		}
	}
	s.Write([]byte("file:p.mp4: it is broken\n\n"))
	if got := s.last(in); got != "it is broken" || len(s.b) > 4096 {
		t.Errorf("%q of %d bytes", got, len(s.b))
	}
}
